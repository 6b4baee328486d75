from transformers import AutoModel

class Model:
    def __init__(self):
        self.base = AutoModel.from_pretrained('other/model', trust_remote_code=True)
