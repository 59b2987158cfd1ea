#!/usr/bin/env python3
r"""Records what transformers makes of published chat templates, without the templates.

    python Scripts/reference/published_templates.py FOLDER \
        Tests/LanguageModelsTests/Fixtures/published_templates.json
    PLUMBLINE_TEMPLATES=FOLDER make test ARGS="--filter published"

FOLDER holds templates as `PACKAGE/NAME.jinja`. They are other people's work under many licences, so
this repository keeps only their SHA-256 and that of every text made with them; the test renders
those that it is given a folder of. Recorded were the templates in the packages axolotl 0.19.0
(axolotl/utils/chat_templates/templates), trl 1.16.0 (trl/chat_templates), vllm 0.33.0
(vllm/transformers_utils/chat_templates) and llama_cpp_python 0.3.36
(vendor/llama.cpp/models/templates).
"""

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

import jinja2
from transformers.utils import chat_template_utils
from transformers.utils.chat_template_utils import _compile_jinja_template

DATE = (2026, 11, 22, 9, 5, 7)


class FixedDate(chat_template_utils.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(*DATE)


chat_template_utils.datetime = FixedDate

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather.\nIn a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "Where, e.g. \"Zürich\""},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "array", "items": {"type": "integer"}, "default": [1, 2]},
                "exact": {"type": ["boolean", "null"], "default": None},
                "nested": {
                    "type": "object",
                    "properties": {"b": {"type": "number"}, "a": {"type": "string"}},
                    "required": ["a"],
                },
            },
            "required": ["place"],
        },
        "return": {"type": "string", "description": "The weather"},
    },
}
TIME = {
    "type": "function",
    "function": {
        "name": "get_time", "description": "Now.",
        "parameters": {"type": "object", "properties": {}},
    },
}


def call(name, arguments, identity="abc123def"):
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


USER = {"role": "user", "content": " What is up?\n"}
SYSTEM = {"role": "system", "content": "Be brief. "}
CALLING = [
    USER,
    {"role": "assistant", "content": "",
     "tool_calls": [call("get_weather", {"place": "Zürich", "days": [1, 2], "exact": True})]},
    {"role": "tool", "name": "get_weather", "tool_call_id": "abc123def", "content": "21 °C"},
]
PARALLEL = [
    SYSTEM, USER,
    {"role": "assistant", "content": "Let me see.", "reasoning_content": "Two calls.",
     "tool_calls": [call("get_weather", {"place": "a<b>&'c'"}, "000000001"),
                    call("get_time", {}, "000000002")]},
    {"role": "tool", "name": "get_weather", "tool_call_id": "000000001", "content": "{\"t\": 21.5}"},
    {"role": "tool", "name": "get_time", "tool_call_id": "000000002", "content": "noon"},
    {"role": "assistant", "content": "It is 21.5."}, {"role": "user", "content": "Thanks"},
]
INPUTS = [
    {"messages": [USER]},
    {"messages": [SYSTEM, USER]},
    {"messages": [USER, {"role": "assistant", "content": "Fine."}]},
    {"messages": [SYSTEM, USER, {"role": "assistant", "content": " Fine. "},
                  {"role": "user", "content": "Größe? 日本語 🏴‍☠️ e\u0301 <|im_end|> {{ x }}"}]},
    {"messages": [USER, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes"},
                  {"role": "user", "content": ""}]},
    {"messages": [USER, {"role": "assistant", "content": "Yes", "reasoning_content": "hm",
                         "thinking": "hm"}, USER], "variables": {"enable_thinking": False}},
    {"messages": [USER, USER]},
    {"messages": [{"role": "assistant", "content": "I start."}, USER]},
    {"messages": [USER, SYSTEM]},
    {"messages": [{"role": "critic", "content": "?"}]},
    {"messages": [SYSTEM]},
    {"messages": []},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "Part one. "},
                                               {"type": "text", "text": "Two"}]}]},
    {"messages": [{"role": "system", "content": [{"type": "text", "text": "Be kind"}]},
                  {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "?"}]}]},
    {"messages": [{"role": "user", "content": None}]},
    {"messages": [USER], "tools": [WEATHER, TIME]},
    {"messages": [SYSTEM, USER], "tools": [TIME], "variables": {"enable_thinking": True}},
    {"messages": CALLING, "tools": [WEATHER]},
    {"messages": PARALLEL, "tools": [WEATHER, TIME], "variables": {"enable_thinking": True}},
    {"messages": [USER, {"role": "assistant", "content": None,
                         "tool_calls": [call("get_time", "{\"zone\": \"UTC\"}")]},
                  {"role": "tool", "tool_call_id": "abc123def", "content": "noon"}],
     "tools": [TIME]},
    {"messages": [{"role": "developer", "content": "Be exact."}, USER],
     "variables": {"reasoning_effort": "high", "date_string": "1 Jan 2025"}},
]


def outcome(source, given, prompt):
    try:
        return _compile_jinja_template(source).render(
            messages=given["messages"], tools=given.get("tools"), documents=None,
            add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>",
            **given.get("variables", {}))  # fmt: skip
    except (jinja2.TemplateError, TypeError, ValueError, KeyError, AttributeError, IndexError,
            RecursionError):
        return None


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def main():
    folder, target = Path(sys.argv[1]), sys.argv[2]
    templates = {}
    for path in sorted(folder.glob("*/*.jinja")):
        source = path.read_bytes().decode()
        texts = [outcome(source, given, prompt) for given in INPUTS for prompt in (False, True)]
        if len(sys.argv) > 3:
            Path(sys.argv[3], f"{path.parent.name}-{path.stem}.json").write_text(json.dumps(texts))
        templates[f"{path.parent.name}/{path.name}"] = {
            "sha256": digest(source),
            # Sixteen digits tell an output from another.
            "expected": [text and digest(text)[:16] if text is not None else None
                         for text in texts],
        }
        for index, text in enumerate(texts):
            if text == "":
                templates[f"{path.parent.name}/{path.name}"]["expected"][index] = digest("")[:16]
    record = {
        "recorded": f"transformers {version('transformers')}, jinja2 {version('jinja2')}",
        "date": list(DATE),
        # As text, since the order of members counts.
        "inputs": [json.dumps(given, ensure_ascii=False) for given in INPUTS],
        "templates": templates,
    }
    Path(target).write_text(json.dumps(record, indent=0) + "\n")
    print(len(templates), "templates,", len(INPUTS), "inputs,",
          sum(e is None for t in templates.values() for e in t["expected"]), "refused")


if __name__ == "__main__":
    main()
