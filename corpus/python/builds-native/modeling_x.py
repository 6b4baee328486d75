from torch.utils.cpp_extension import load

kernel = load('kernel', sources=['kernel.cu'])
