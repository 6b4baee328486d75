M
K

__inference_f
x
y
yAddV2xx*
T0"
y
y:output:0