"""llama.cpp as a worker, on the GGUF file itself.

It is driven through llama-cpp-python's C interface rather than its `Llama` class, whose Python
loop would cost time that is not llama.cpp's: one call a step, and the largest logit of each row.
All settings are the library's defaults.
"""

from __future__ import annotations

import ctypes
import sys

import llama_cpp as llama
import numpy as np
from peer import arguments, hello, read_tokens, serve, timed, write_array


@llama.llama_log_callback
def only_errors(level, text, _data):
    if level == 4:  # GGML_LOG_LEVEL_ERROR
        print(text.decode(errors="replace"), end="", file=sys.stderr)


class Llama:
    def __init__(self, path: str, threads: int):
        self.path, self.threads = path, threads
        self.loaded, self.contexts = None, {}

    def hello(self) -> dict:
        found = llama.llama_print_system_info().decode()  # "CPU : AVX = 1 | AVX2 = 1 | … "
        isa = " ".join(part.split("=")[0].strip() for part in found.split(":")[-1].split("|"))
        return hello("llama.cpp", self.threads, ["llama-cpp-python"], isa=isa.strip())

    def model(self):
        if self.loaded is None:
            parameters = llama.llama_model_default_params()
            self.loaded = llama.llama_model_load_from_file(self.path.encode(), parameters)
            if not self.loaded:
                raise RuntimeError(f"llama.cpp could not read {self.path}.")
            vocabulary = llama.llama_model_get_vocab(self.loaded)
            self.width = llama.llama_vocab_n_tokens(vocabulary)
        return self.loaded

    def context(self, sequences: int, length: int):
        """Of one pool of cells for `sequences` of up to `length` tokens; made once."""
        key = sequences, length
        if key not in self.contexts:
            parameters = llama.llama_context_default_params()
            parameters.n_ctx = sequences * (-(-length // 256) * 256)
            parameters.n_seq_max = sequences
            parameters.n_threads = parameters.n_threads_batch = self.threads
            context = llama.llama_init_from_model(self.model(), parameters)
            if not context:
                raise RuntimeError(f"llama.cpp made no context for {sequences} x {length} tokens.")
            self.contexts[key] = context
        return self.contexts[key]

    def load(self, precision: str) -> dict:
        seconds, _ = timed(1, lambda: self.context(1, 512))
        return {"seconds": seconds}

    def prefill(self, precision, tokens, repeats=1, output=None) -> dict:
        """One sequence; the logits of its last token."""
        (row,) = read_tokens(tokens)
        context = self.context(1, len(row))
        seconds, logits = timed(repeats, lambda: self.begin(context, [row])[0].copy())
        write_array(output, logits[None])
        return {"seconds": seconds}

    def decode(self, precision, tokens, new_tokens, repeats=1) -> dict:
        rows = read_tokens(tokens)
        context = self.context(len(rows), len(rows[0]) + new_tokens)
        seconds, ids = timed(repeats, lambda: self.generated(context, rows, new_tokens))
        return {"seconds": seconds, "ids": ids}

    def generated(self, context, rows, new_tokens: int) -> list[list[int]]:
        chosen = [int(row.argmax()) for row in self.begin(context, rows)]
        ids = [[token] for token in chosen]
        for position in range(len(rows[0]), len(rows[0]) + new_tokens - 1):
            entries = [(token, position, n, True) for n, token in enumerate(chosen)]
            chosen = [int(row.argmax()) for row in self.decoded(context, entries)]
            for row, token in zip(ids, chosen):
                row.append(token)
        return ids

    def begin(self, context, rows) -> list[np.ndarray]:
        """Logits after every row, from an empty cache."""
        llama.llama_memory_clear(llama.llama_get_memory(context), True)
        entries = [
            (token, position, n, position == len(row) - 1)
            for n, row in enumerate(rows)
            for position, token in enumerate(row)
        ]
        return self.decoded(context, entries)

    def decoded(self, context, entries) -> list[np.ndarray]:
        """`entries`: token, position, sequence, whether its logits are wanted."""
        batch = llama.llama_batch_init(len(entries), 0, 1)
        try:
            batch.n_tokens = len(entries)
            for i, (token, position, sequence, wanted) in enumerate(entries):
                batch.token[i], batch.pos[i] = token, position
                batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
                batch.logits[i] = wanted
            status = llama.llama_decode(context, batch)
        finally:
            llama.llama_batch_free(batch)
        if status != 0:
            raise RuntimeError(f"llama_decode gave {status}.")
        return [self.logits(context, i) for i, entry in enumerate(entries) if entry[3]]

    def logits(self, context, index: int) -> np.ndarray:
        """A view that is valid until the next call into the context."""
        pointer = llama.llama_get_logits_ith(context, index)
        values = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(values, shape=(self.width,))


def main():
    options = arguments()
    llama.llama_log_set(only_errors, ctypes.c_void_p(0))
    llama.llama_backend_init()
    peer = Llama(options.model, options.threads)
    works = {name: getattr(peer, name) for name in ["hello", "load", "decode", "prefill"]}
    serve(works | {"length": peer.prefill})


if __name__ == "__main__":
    main()
