’
"serve*2.15.12weighin©

xPlaceholder*
dtype0
R
StatefulPartitionedCallStatefulPartitionedCallx*
fR
__inference_call_1
-
z
WeighinRunx*
library./weighin.so"ÚJ
saver_filename:0StatefulPartitionedCall:0StatefulPartitionedCall_18