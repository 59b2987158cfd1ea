"""Other programs' tokenizers behind one shape, for check_tokenizers.py: what reads a file decides.

    *.json    Hugging Face tokenizers
    *.model   the sentencepiece package (0.2.3)
    *.gguf    llama.cpp, through the shared library of xllamacpp (2026.10.11549)

Each has `specials`, texts worth drawing; `flags(number)`, which of (add special tokens, parse them)
the number-th string is encoded with; `encode`, and `decode`, None where it has no answer.
"""

import ctypes
import glob
import os


class HuggingFace:
    def __init__(self, path):
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(path)
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.specials = [t.content for t in self.tokenizer.get_added_tokens_decoder().values()]

    def flags(self, number):
        return number % 2, number % 5 != 4

    def encode(self, text, add, parse):
        self.tokenizer.encode_special_tokens = not parse
        return self.tokenizer.encode(text, add_special_tokens=bool(add)).ids

    def decode(self, ids, skip):
        return self.tokenizer.decode(ids, skip_special_tokens=skip)


class SentencePiece:
    """It never reads control tokens in a text, nor does its file say what stands around one."""

    def __init__(self, path):
        import sentencepiece

        self.model = sentencepiece.SentencePieceProcessor(model_file=path)
        ids = range(self.model.vocab_size())
        self.specials = [self.model.id_to_piece(i) for i in ids if not self.is_plain(i)]

    def is_plain(self, i):
        """Whether a token has a text; user-defined tokens have score 0, and are worth drawing."""
        model = self.model
        if model.is_control(i) or model.is_unknown(i) or model.is_unused(i):
            return False
        return model.is_byte(i) or model.get_score(i) != 0

    def flags(self, number):
        return 0, False

    def encode(self, text, add, parse):
        return self.model.encode(text)

    def decode(self, ids, skip):
        if any(self.model.is_unknown(i) for i in ids):
            return None  # It writes " ⁇ ".
        return self.model.decode(ids)


class ModelParams(ctypes.Structure):
    """llama_model_params, larger than any version of it."""

    _fields_ = [("raw", ctypes.c_uint8 * 1024)]


# Where the flag lies in llama_model_params of the version above.
VOCAB_ONLY = 72


class Llama:
    def __init__(self, path):
        import xllamacpp

        folder = os.path.dirname(xllamacpp.__file__)
        lib = self.lib = ctypes.CDLL(glob.glob(os.path.join(folder, "*.so"))[0])
        log = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
        self.quiet = log(lambda *_: None)
        lib.llama_log_set(self.quiet, None)
        lib.llama_model_default_params.restype = ModelParams
        lib.llama_model_load_from_file.restype = ctypes.c_void_p
        lib.llama_model_load_from_file.argtypes = [ctypes.c_char_p, ModelParams]
        lib.llama_model_get_vocab.restype = ctypes.c_void_p
        lib.llama_model_get_vocab.argtypes = [ctypes.c_void_p]
        vocab, token = ctypes.c_void_p, ctypes.c_int32
        lib.llama_vocab_n_tokens.argtypes = [vocab]
        lib.llama_vocab_get_text.argtypes = [vocab, token]
        lib.llama_vocab_get_text.restype = ctypes.c_char_p
        lib.llama_vocab_get_attr.argtypes = [vocab, token]
        lib.llama_tokenize.argtypes = [
            vocab, ctypes.c_char_p, ctypes.c_int32, ctypes.POINTER(token), ctypes.c_int32,
            ctypes.c_bool, ctypes.c_bool,
        ]  # fmt: skip
        params = lib.llama_model_default_params()
        params.raw[VOCAB_ONLY] = 1
        model = lib.llama_model_load_from_file(path.encode(), params)
        assert model, f"llama.cpp cannot load {path}"
        self.vocab = lib.llama_model_get_vocab(model)
        # Unknown, control and user-defined tokens.
        self.specials = [
            lib.llama_vocab_get_text(self.vocab, i).decode()
            for i in range(lib.llama_vocab_n_tokens(self.vocab))
            if lib.llama_vocab_get_attr(self.vocab, i) & (1 | 8 | 16)
        ]

    def flags(self, number):
        return number % 2, number % 5 != 4

    def encode(self, text, add, parse):
        data = text.encode()
        room = (ctypes.c_int32 * (4 * len(data) + 16))()
        count = self.lib.llama_tokenize(
            self.vocab, data, len(data), room, len(room), bool(add), bool(parse)
        )
        assert count >= 0
        return list(room[:count])

    def decode(self, ids, skip):
        return None


def read(path):
    kinds = {".json": HuggingFace, ".model": SentencePiece, ".gguf": Llama}
    return kinds[os.path.splitext(path)[1]](path)
