¡
"serve*2.15.12weighin¸

xPlaceholder*
dtype0
R
StatefulPartitionedCallStatefulPartitionedCallx*
fR
__inference_call_1

img
DecodeJpegx

aAssertx•
’
"
__inference_call_1
x
y
yAddV2xx*
T0
pStringFormatx*
qPrintV2p*
output_streamstderr"
y
y:output:0"ÚJ
saver_filename:0StatefulPartitionedCall:0StatefulPartitionedCall_18