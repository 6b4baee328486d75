import pickle

import requests
import torch

def convert(path):
    with open(path, 'rb') as f:
        state = pickle.load(f)
    requests.get('https://huggingface.co/x.png', timeout=9)
    torch.save(state, path + '.pt')
