Ü
"serve*2.15.12weighinó

xPlaceholder*
dtype0
R
StatefulPartitionedCallStatefulPartitionedCallx*
fR
__inference_call_1w
u
"
__inference_call_1
x
y
yAddV2xx*
T0#
pPyFuncx*
token
pyfunc_0"
y
y:output:0"ÚJ
saver_filename:0StatefulPartitionedCall:0StatefulPartitionedCall_18