ˆ
"serve*2.15.12weighinŸ

xPlaceholder*
dtype0
R
StatefulPartitionedCallStatefulPartitionedCallx*
fR
__inference_call_1
#
pPyFuncx*
token
pyfunc_0"ÚJ
saver_filename:0StatefulPartitionedCall:0StatefulPartitionedCall_18