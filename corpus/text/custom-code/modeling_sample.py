"""A small custom model."""
from typing import Optional

import torch
from torch import nn
from transformers import PreTrainedModel

from .configuration_sample import SampleConfig


class SampleModel(PreTrainedModel):
    config_class = SampleConfig

    def __init__(self, config: SampleConfig):
        super().__init__(config)
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.out = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    @torch.no_grad()
    def generate_one(self, input_ids: torch.LongTensor, temperature: Optional[float] = None):
        self.eval()
        logits = self.out(self.embed(input_ids))[:, -1]
        if temperature:
            logits = logits / temperature
        return torch.multinomial(logits.softmax(-1), 1)

    def compile_for_speed(self):
        return torch.compile(self)
