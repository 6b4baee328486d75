import importlib.util

from huggingface_hub import hf_hub_download

path = hf_hub_download('weighin/none', 'm.py')
importlib.util.spec_from_file_location('m', path)
