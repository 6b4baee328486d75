W
U

__inference_f
x
y#
pPyFuncx*
token
pyfunc_0"
y
y:output:0