Ë
"serve*2.15.12weighinc

xPlaceholder*
dtype0

wCreateSummaryFileWriterx

sWriteScalarSummaryw"ÚJ
saver_filename:0StatefulPartitionedCall:0StatefulPartitionedCall_18