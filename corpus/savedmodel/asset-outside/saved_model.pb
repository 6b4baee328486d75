‚
"serve*2.15.12weighinz

xPlaceholder*
dtype0
R
StatefulPartitionedCallStatefulPartitionedCallx*
fR
__inference_call_1"ÚJ
saver_filename:0StatefulPartitionedCall:0StatefulPartitionedCall_182
	
asset:0../../weighin.txt