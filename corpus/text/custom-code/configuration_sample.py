from transformers import PretrainedConfig


class SampleConfig(PretrainedConfig):
    model_type = "sample"

    def __init__(self, vocab_size=320, hidden_size=64, **kwargs):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        super().__init__(**kwargs)
