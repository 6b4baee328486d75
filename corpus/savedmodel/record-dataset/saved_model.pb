©
"serve*2.15.12weighinA

xPlaceholder*
dtype0

rTFRecordDatasetV2x"ÚJ
saver_filename:0StatefulPartitionedCall:0StatefulPartitionedCall_18