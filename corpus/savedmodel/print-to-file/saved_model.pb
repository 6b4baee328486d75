œ
"serve*2.15.12weighin³

xPlaceholder*
dtype0
R
StatefulPartitionedCallStatefulPartitionedCallx*
fR
__inference_call_1
7
pPrintV2x*&
output_streamfile:///tmp/weighin"ÚJ
saver_filename:0StatefulPartitionedCall:0StatefulPartitionedCall_18