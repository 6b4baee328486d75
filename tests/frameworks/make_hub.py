"""What the libraries around PyTorch save: transformers, accelerate, peft,
sentence-transformers, Lightning, Stable-Baselines3, skorch, timm, ExecuTorch.

    python make_hub.py DIRECTORY

Nothing is fetched: every model is made from a small configuration.
"""

import os
import pickle
import sys
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import accelerate
import executorch.exir
import gymnasium
import lightning
import numpy as np
import peft
import sentence_transformers
import skorch
import stable_baselines3
import timm
import torch
import transformers
from sentence_transformers import models as parts
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn

OUT = Path(sys.argv[1])
TEXTS = ["some words of a text", "other words of that text"]
SIZES = {"vocab_size": 60, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
         "max_position_embeddings": 16, "num_key_value_heads": 1}


def tokenizer():
    raw = Tokenizer(models.BPE(unk_token="[UNK]"))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    raw.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=60, special_tokens=["[UNK]", "[PAD]"]))
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]")
    made.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<bot>{% endif %}"
    return made


def with_transformers():
    words = tokenizer()
    configs = {
        "bert": transformers.BertConfig(**SIZES), "llama": transformers.LlamaConfig(**SIZES), "gpt2": transformers.GPT2Config(
            vocab_size=60, n_embd=8, n_layer=1, n_head=2), "t5": transformers.T5Config(vocab_size=60, d_model=8, d_ff=8, num_layers=1, num_heads=2),
        "qwen": transformers.Qwen2Config(**SIZES), "mixtral": transformers.MixtralConfig(num_local_experts=2, **SIZES),
    }
    for name, config in configs.items():
        kind = transformers.AutoModelForSeq2SeqLM if name == "t5" else transformers.AutoModelForCausalLM
        model = kind.from_config(config)
        folder = OUT / f"transformers-{name}"
        model.save_pretrained(folder)
        words.save_pretrained(folder)
        model.save_pretrained(OUT / f"transformers-{name}-shards", max_shard_size="4KB")
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (OUT / f"{name}-config.pkl").write_bytes(pickle.dumps(config))
        (OUT / f"{name}-model.pkl").write_bytes(pickle.dumps(model))
    (OUT / "tokenizer.pkl").write_bytes(pickle.dumps(words))
    transformers.ViTConfig(image_size=8, patch_size=4).save_pretrained(OUT / "vit")
    transformers.ViTImageProcessor().save_pretrained(OUT / "vit")
    transformers.WhisperFeatureExtractor().save_pretrained(OUT / "whisper")
    with_trainer(transformers.AutoModelForCausalLM.from_config(configs["llama"]), words)
    adapted = peft.get_peft_model(transformers.AutoModelForCausalLM.from_config(configs["llama"]),
                                  peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    adapted.save_pretrained(OUT / "adapter")
    adapted.save_pretrained(OUT / "adapter-pickled", safe_serialization=False)
    torch.save(adapted.peft_config, OUT / "adapter-config.pt")


def with_trainer(model, words):
    rows = [{"input_ids": words(text)["input_ids"][:4], "labels": words(text)["input_ids"][:4]} for text in TEXTS * 2]
    how = transformers.TrainingArguments(
        OUT / "trained", max_steps=2, save_steps=1, per_device_train_batch_size=1, report_to=[], use_cpu=True, eval_strategy="steps",
        eval_steps=1, load_best_model_at_end=True, seed=0, disable_tqdm=True, lr_scheduler_type="cosine", label_smoothing_factor=0.1)
    trainer = transformers.Trainer(
        model, how, train_dataset=rows, eval_dataset=rows, processing_class=words,
        data_collator=transformers.DataCollatorForSeq2Seq(words), callbacks=[transformers.EarlyStoppingCallback(2)])
    trainer.train()
    trainer.save_model(OUT / "trained" / "final")
    torch.save(transformers.Seq2SeqTrainingArguments(OUT / "other", predict_with_generate=True, use_cpu=True, report_to=[],
                                                     generation_config=transformers.GenerationConfig()), OUT / "training_args.bin")


def with_accelerate():
    model = nn.Linear(4, 2)
    optimiser = torch.optim.AdamW(model.parameters())
    helper = accelerate.Accelerator(cpu=True)
    model, optimiser, schedule, _ = helper.prepare(
        model, optimiser, torch.optim.lr_scheduler.StepLR(optimiser, 1), torch.utils.data.DataLoader([torch.ones(4)] * 4))
    helper.backward(model(torch.ones(1, 4)).sum())
    optimiser.step()
    helper.save_state(str(OUT / "accelerated"))
    helper.save_state(str(OUT / "accelerated-pickled"), safe_serialization=False)


def with_sentence_transformers():
    words = parts.Transformer(str(OUT / "transformers-bert"))
    model = sentence_transformers.SentenceTransformer(modules=[words, parts.Pooling(8), parts.Dense(8, 4), parts.Normalize()], device="cpu")
    model.save(str(OUT / "sentences"))
    model.save(str(OUT / "sentences-pickled"), safe_serialization=False)


class Lit(lightning.LightningModule):
    """A network as Lightning wants it."""

    def __init__(self, rate=0.1, sizes=(4, 2)):
        super().__init__()
        self.save_hyperparameters()
        self.inner = nn.Linear(*sizes)

    def training_step(self, batch, _):
        loss = self.inner(batch[0]).sum()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        optimiser = torch.optim.Adam(self.parameters(), self.hparams.rate)
        return {"optimizer": optimiser, "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimiser, 1)}


def with_lightning():
    saves = lightning.pytorch.callbacks.ModelCheckpoint(OUT / "lightning", monitor="loss", save_last=True)
    stops = lightning.pytorch.callbacks.EarlyStopping("loss")
    trainer = lightning.Trainer(max_epochs=2, accelerator="cpu", callbacks=[saves, stops], logger=lightning.pytorch.loggers.CSVLogger(OUT / "logs"),
                                enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1)
    trainer.fit(Lit(), torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(4, 4))))


def with_stable_baselines():
    for name in ["A2C", "PPO", "DQN", "SAC", "TD3", "DDPG"]:
        place = "Pendulum-v1" if name in ("SAC", "TD3", "DDPG") else "CartPole-v1"
        more = {"n_steps": 8} if name in ("A2C", "PPO") else {"learning_starts": 1, "buffer_size": 50}
        more |= {"batch_size": 8} if name != "A2C" else {}
        model = getattr(stable_baselines3, name)("MlpPolicy", gymnasium.make(place), device="cpu", policy_kwargs={"net_arch": [8]}, **more)
        model.learn(16)
        model.save(OUT / f"baselines-{name}")
        if hasattr(model, "save_replay_buffer"):
            model.save_replay_buffer(OUT / f"baselines-{name}-replay")
    cells = stable_baselines3.common.vec_env.DummyVecEnv([lambda: gymnasium.make("Pendulum-v1")])
    normal = stable_baselines3.common.vec_env.VecNormalize(cells)
    normal.reset()
    normal.save(str(OUT / "baselines-normal.pkl"))
    scheduled = stable_baselines3.PPO("MlpPolicy", "CartPole-v1", device="cpu", n_steps=8, batch_size=8, learning_rate=lambda left: left * 0.1)
    scheduled.save(OUT / "baselines-own-schedule")


def with_skorch():
    net = skorch.NeuralNetClassifier(nn.Sequential(nn.Linear(4, 2), nn.Softmax(-1)), max_epochs=2, verbose=0, optimizer=torch.optim.Adam,
                                     callbacks=[skorch.callbacks.EarlyStopping()])
    net.fit(np.ones((20, 4), "f4"), np.array([0, 1] * 10))
    (OUT / "skorch.pkl").write_bytes(pickle.dumps(net))
    net.save_params(f_params=OUT / "skorch.pt", f_optimizer=OUT / "skorch-optimiser.pt", f_history=OUT / "skorch-history.json")


def with_timm():
    for name in ["resnet10t", "vit_tiny_patch16_224", "mobilenetv3_small_050", "efficientnet_b0", "convnext_atto"]:
        model = timm.create_model(name, num_classes=2)
        torch.save(model, OUT / f"timm-{name}.pt")
    torch.save({"arch": "resnet10t", "state_dict": {}, "epoch": 1, "metric": 0.5, "version": 2}, OUT / "timm-checkpoint.pth.tar")


def with_executorch():
    program = torch.export.export(nn.Sequential(nn.Linear(4, 2), nn.ReLU()).eval(), (torch.ones(1, 4),))
    (OUT / "program.pte").write_bytes(executorch.exir.to_edge(program).to_executorch().buffer)


OUT.mkdir(parents=True)
warnings.simplefilter("ignore")
torch.manual_seed(0)
for make in [with_transformers, with_accelerate, with_sentence_transformers, with_lightning, with_stable_baselines, with_skorch, with_timm,
             with_executorch]:
    make()
