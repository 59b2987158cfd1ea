"""Tokenizers of 64 tokens for the tiny checkpoints of `family_fixtures.py`."""

from __future__ import annotations

import string

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing

END = "<|endoftext|>"
MERGES = (
    "t h|th e|a t|Ġ the|i n|in g|e n|a n|Ġ a|Ġ s|Ġ m|Ġ c|Ġ r|Ġm at|Ġa n|Ġan d|Ġr at|Ġs at|Ġc at"
    "|e r|r e|Ġt h|Ġ t|o n"
)
"""GPT-2's spelling: `Ġ` is a space. Put in an order in which every part exists."""
WORDS = ["the", "cat", "and", "##at", "##ing", ".", ","]


def byte_level_vocabulary() -> tuple[list[str], list[tuple[str, str]]]:
    """Tokens by id, and merges by rank. Bytes outside the 39 characters have no token."""
    tokens = [*string.ascii_lowercase, *string.digits, "Ġ", ".", ","]
    merges = [tuple(merge.split(" ")) for merge in MERGES.split("|")]
    known = set(tokens)
    ordered = []
    while merges:
        ready = next(merge for merge in merges if known.issuperset(merge))
        merges.remove(ready)
        ordered.append(ready)
        known.add("".join(ready))
        tokens.append("".join(ready))
    tokens.append(END)
    assert len(tokens) == len(set(tokens)) == 64, len(tokens)
    return tokens, ordered


def byte_level() -> Tokenizer:
    tokens, merges = byte_level_vocabulary()
    tokenizer = Tokenizer(
        models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END, special=True, normalized=False)])
    return tokenizer


def word_piece_vocabulary() -> list[str]:
    letters = string.ascii_lowercase
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    tokens += [f"##{letter}" for letter in letters] + WORDS
    assert len(tokens) == len(set(tokens)) == 64, len(tokens)
    return tokens


def word_piece() -> Tokenizer:
    tokens = word_piece_vocabulary()
    ids = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocab=ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in tokens[:5]]
    )
    return tokenizer
