"""PyTorch with transformers and PEFT as a worker, and the probes of the machine itself.

Everything is what a user gets by default: sdpa attention, PEFT's fp32 adapters over a bf16 base,
torch's AdamW. Only `choices` is there for the comparison's sake, as the reference.
"""

from __future__ import annotations

import time

import torch
import transformers
from peer import arguments, hello, read_tokens, serve, timed, write_array
from peft import PeftModel
from torch.nn.functional import log_softmax
from transformers import AutoModelForCausalLM

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SITES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class PyTorch:
    def __init__(self, folder: str, threads: int):
        self.folder, self.threads = folder, threads
        self.models, self.trained = {}, {}

    def hello(self) -> dict:
        capability = torch.backends.cpu.get_cpu_capability()
        packages = ["torch", "transformers", "peft"]
        return hello("PyTorch", torch.get_num_threads(), packages, isa=capability)

    def fresh_model(self, precision: str):
        return AutoModelForCausalLM.from_pretrained(self.folder, dtype=PRECISIONS[precision])

    def model(self, precision: str):
        if precision not in self.models:
            self.models[precision] = self.fresh_model(precision).eval()
        return self.models[precision]

    def load(self, precision: str) -> dict:
        seconds, _ = timed(1, lambda: self.model(precision))
        return {"seconds": seconds}

    @torch.inference_mode()
    def forward(self, precision, tokens, repeats=1, output=None, keep=0) -> dict:
        """`keep` as in transformers' `logits_to_keep`: 0 for all positions."""
        ids, model = torch.tensor(read_tokens(tokens)), self.model(precision)
        seconds, logits = timed(
            repeats, lambda: model(input_ids=ids, use_cache=False, logits_to_keep=keep).logits
        )
        write_array(output, logits.float().numpy() if output else None)
        return {"seconds": seconds}

    @torch.inference_mode()
    def capture(self, precision, tokens, repeats=1, output=None) -> dict:
        """The residual stream after every block, by forward hooks; all logits as well."""
        ids, model = torch.tensor(read_tokens(tokens)), self.model(precision)
        kept = {}

        def keep(index):
            def hook(_module, _inputs, result):
                kept[index] = result[0] if isinstance(result, tuple) else result

            return hook

        layers = enumerate(model.model.layers)
        hooks = [layer.register_forward_hook(keep(index)) for index, layer in layers]
        try:
            seconds, _ = timed(repeats, lambda: model(input_ids=ids, use_cache=False).logits)
        finally:
            for hook in hooks:
                hook.remove()
        if output:
            write_array(output, torch.stack([kept[i] for i in sorted(kept)]).float().numpy())
        return {"seconds": seconds}

    def start_training(self, precision: str, adapter: str):
        model = PeftModel.from_pretrained(self.fresh_model(precision), adapter, is_trainable=True)
        model.train()
        return model, [p for p in model.parameters() if p.requires_grad]

    def lora_step(self, precision, tokens, adapter=None, repeats=1, learning_rate=1e-4) -> dict:
        """With `adapter`, from that start and a fresh optimiser; without, where it had got to."""
        ids = torch.tensor(read_tokens(tokens))
        if adapter is not None:
            model, parameters = self.start_training(precision, adapter)
            self.trained[precision] = model, torch.optim.AdamW(parameters, lr=learning_rate)
        model, optimiser = self.trained[precision]
        losses = []

        def step():
            optimiser.zero_grad()
            loss = model(input_ids=ids, labels=ids, use_cache=False).loss
            loss.backward()
            optimiser.step()
            losses.append(loss.item())

        seconds, _ = timed(repeats, step)
        return {"seconds": seconds, "losses": losses}

    @torch.inference_mode()
    def decode(self, precision, tokens, new_tokens, repeats=1) -> dict:
        """Greedy `generate` that does not stop at an end token, from prompts of one length."""
        ids, model = torch.tensor(read_tokens(tokens)), self.model(precision)
        model.generation_config.eos_token_id = None
        model.generation_config.pad_token_id = 0
        seconds, out = timed(
            repeats,
            lambda: model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=new_tokens,
            ),
        )
        return {"seconds": seconds, "ids": out[:, ids.shape[1] :].tolist()}

    def prefill(self, precision, tokens, repeats=1, output=None) -> dict:
        return self.forward(precision, tokens, repeats, output, keep=1)

    @torch.inference_mode()
    def logprobs(self, precision, tokens, repeats=1, output=None) -> dict:
        """Of every token after the first, as usually written: all logits, then log-softmax."""
        ids, model = torch.tensor(read_tokens(tokens)), self.model(precision)

        def run():
            logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
            return log_softmax(logits.float(), dim=-1).gather(2, ids[:, 1:, None])[..., 0]

        seconds, value = timed(repeats, run)
        write_array(output, value.numpy() if output else None)
        return {"seconds": seconds}

    @torch.inference_mode()
    def choices(self, tokens, prompt, precision="float32") -> dict:
        """How far each token after the prompt lies below the best one's logit, in nats."""
        gaps, model = [], self.model(precision)
        for row in read_tokens(tokens):
            ids = torch.tensor([row])
            logits = model(input_ids=ids, use_cache=False).logits[0, prompt - 1 : -1]
            chosen = logits.gather(1, ids[0, prompt:, None])[:, 0]
            gaps.append((logits.max(dim=-1).values - chosen).tolist())
        return {"gaps": gaps}

    def products(self, precision: str) -> list:
        """Every weight that the forward pass multiplies with, under its name, in its order."""
        model = self.model(precision)
        found = [
            (name.rsplit(".", 1)[-1], module.weight)
            for name, module in model.named_modules()
            if name.rsplit(".", 1)[-1] in SITES
        ]
        return found + [("lm_head", model.lm_head.weight)]

    @torch.inference_mode()
    def matmul(self, precision, rows, repeats=1) -> dict:
        """The products of a forward pass over `rows` tokens, each with its own weight, in turn.

        Results go into buffers that exist already: the rate is the machine's, not the allocator's.
        """
        kind, weights = PRECISIONS[precision], self.products(precision)
        inputs = {w.shape[1]: torch.randn(rows, w.shape[1]).to(kind) for _, w in weights}
        outputs = {w.shape[0]: torch.zeros(rows, w.shape[0], dtype=kind) for _, w in weights}
        seconds, shapes = [], {}
        for _ in range(repeats):
            total, shapes = 0.0, {}
            for name, weight in weights:
                wide, deep = weight.shape
                start = time.perf_counter()
                torch.mm(inputs[deep], weight.t(), out=outputs[wide])
                spent = time.perf_counter() - start
                total += spent
                shape = {"m": rows, "k": deep, "n": wide, "count": 0, "seconds": 0.0}
                entry = shapes.setdefault((deep, wide), shape)
                entry["count"] += 1
                entry["seconds"] += spent
            seconds.append(total)
        return {"seconds": seconds, "shapes": list(shapes.values())}

    def bandwidth(self, bytes, repeats=1) -> dict:
        """Reading memory once: the sum of an array that no cache holds, on all threads."""
        values = torch.ones(bytes // 4)
        seconds, _ = timed(repeats, values.sum)
        return {"seconds": seconds, "bytes": values.numel() * 4}


def main():
    options = arguments()
    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(options.threads)
    peer = PyTorch(options.folder, options.threads)
    names = "hello load forward capture lora_step decode prefill logprobs choices matmul bandwidth"
    works = {name: getattr(peer, name) for name in names.split()}
    serve(works | {"length": peer.prefill})


if __name__ == "__main__":
    main()
