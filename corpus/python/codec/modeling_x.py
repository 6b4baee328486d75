# coding: weighin_codec
x = 1
