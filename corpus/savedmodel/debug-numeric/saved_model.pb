­
"serve*2.15.12weighinE

xPlaceholder*
dtype0

dDebugNumericSummaryV2x"ÚJ
saver_filename:0StatefulPartitionedCall:0StatefulPartitionedCall_18