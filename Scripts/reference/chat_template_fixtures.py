#!/usr/bin/env python3
"""Records what Jinja2 makes of chat templates: Tests/LanguageModelsTests/Fixtures/chat_templates.json.

    pip install jinja2==3.1.6 gguf==0.19.0
    Scripts/reference/chat_template_fixtures.py MODEL.gguf \
        Tests/LanguageModelsTests/Fixtures/chat_templates.json

The environment is the one that transformers gives chat templates: sandboxed, trim_blocks,
lstrip_blocks, loop controls, its own tojson, raise_exception. The templates are written for this
file in the styles that published models use; the default model's own comes from MODEL.
"""

import importlib.metadata
import json
import sys

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Refused(Exception):
    pass


class Generation(jinja2.ext.Extension):
    """transformers' mark: its body runs as a call, with variables of its own."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_run")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _run(self, caller):
        return caller()


def environment():
    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
            sort_keys=sort_keys,
        )  # fmt: skip

    def raise_exception(message):
        raise Refused(message)

    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    env.add_extension(Generation)
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


STYLES = {
    "chatml": """\
{% for message in messages %}
{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}
{% endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\n' }}
{% endif %}
""",
    "chatml with a default system turn": """\
{%- if messages[0]['role'] == 'system' -%}
    {%- set system_message = messages[0]['content'] | trim -%}
    {%- set rest = messages[1:] -%}
{%- else -%}
    {%- set system_message = 'You are helpful.' -%}
    {%- set rest = messages -%}
{%- endif -%}
<|im_start|>system
{{ system_message }}<|im_end|>
{% for m in rest %}
<|im_start|>{{ m.role }}
{{ m.content }}{% if not loop.last or add_generation_prompt %}<|im_end|>
{% endif %}
{%- endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}""",
    "bracketed instructions": """\
{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}\
{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}\
{% set system_message = false %}{% endif %}{% for message in loop_messages %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}\
{% if loop.index0 == 0 and system_message != false %}\
{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}\
{% else %}{% set content = message['content'] %}{% endif %}\
{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}\
{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}\
{% endfor %}""",
    "headers": """\
{% set loop_messages = messages %}{% for message in loop_messages %}\
{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ \
message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}\
{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}""",
    "turns without system": """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}\
{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}\
{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}\
{% set role = message['role'] %}{% endif %}\
{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}\
{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}""",
    "tags by role": """\
{% for message in messages %}{% if message['role'] == 'user' %}{{ '<|user|>\n' + \
message['content'] + eos_token }}{% elif message['role'] == 'system' %}{{ '<|system|>\n' + \
message['content'] + eos_token }}{% elif message['role'] == 'assistant' %}{{ '<|assistant|>\n' + \
message['content'] + eos_token }}{% endif %}
{% if loop.last and add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}
{% endfor %}""",
    "namespace and last query": """\
{%- set ns = namespace(last_user=-1, system='', found=false) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if not ns.found and message.role == "user" %}
        {%- set ns.found = true %}
        {%- set ns.last_user = index %}
    {%- endif %}
    {%- if message.role == "system" %}
        {%- set ns.system = ns.system ~ message.content %}
    {%- endif %}
{%- endfor %}
{%- if ns.system %}
    {{- '[SYSTEM]' + ns.system + '[/SYSTEM]' }}
{%- endif %}
{%- for message in messages if message.role != 'system' %}
    {%- if message.role == 'assistant' and '</think>' in message.content %}
        {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
    {%- else %}
        {%- set content = message.content %}
    {%- endif %}
    {{- loop.index ~ '/' ~ loop.length ~ ' ' ~ message.role ~ ': ' ~ content ~ '\\n' }}
{%- else %}
    {{- 'nothing said' }}
{%- endfor %}
{{- 'last user turn: ' ~ ns.last_user }}
{%- if add_generation_prompt %}
    {{- '\\nassistant:' }}
{%- endif %}
""",
    "question and answer": """\
{# A comment
   of two lines #}
{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}
{%- for message in messages %}
  {%- if message['role'] == 'user' %}
Question: {{ message['content'] | trim }}
  {% elif message['role'] == 'assistant' %}
Answer: {{ message['content'] | trim }}{{ eos_token }}
  {% else %}
{{ message['role'] | upper }}: {{ message['content'] }}
  {% endif %}
{%- endfor -%}
{% if add_generation_prompt %}
Answer:
{%- endif %}""",
    "tools and defaults": """\
{%- if tools is defined and tools %}
    {{- 'Tools: ' + tools | tojson }}
{%- elif tools is none %}
    {{- '(no tools)\\n' }}
{%- endif %}
{%- if date_string is not defined %}{% set date_string = "26 Jul 2024" %}{% endif %}
{{- 'Today: ' + date_string + '\\n' }}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- set name = message.name | default(message.role | capitalize) %}
    {{- name ~ (' (first)' if loop.first) ~ ': ' ~ content | tojson ~ '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- 'Assistant:' -}}{% endif %}""",
    "neighbours": """\
{% for message in messages %}
{% if loop.previtem is defined and loop.previtem.role == message.role %}
{{ raise_exception('Two turns of ' ~ message.role ~ ' in a row') }}
{% endif %}
{% if message.role not in ['user', 'assistant', 'system'] %}{% continue %}{% endif %}
{% if loop.index > 6 %}{% break %}{% endif %}
    <{{ message.role }}{% if loop.nextitem is defined %} next="{{ loop.nextitem['role'] }}"{% endif %}>
      {{ message.content.replace('\\n', ' ') }}
    </{{ message.role }}>
{% endfor %}
{%+ if add_generation_prompt +%}
<assistant>{% endif -%}

   """,
    "set block": """\
{%- set prompt %}
{%- for role, text in [('a', 1), ('b', 2.5)] %}{{ role }}={{ text }};{% endfor %}
{%- endset %}
{{- bos_token | default('', true) }}{{ prompt | length }}:{{ prompt }}|\
{{ messages | length }} {{ messages[-1]['content'][:5] }} {{ messages[-1]['content'][::-1] }}""",
}

CONVERSATIONS = [
    [("user", "Hello!")],
    [("system", "Be brief."), ("user", "What is 2+2?")],
    [("user", "Hi"), ("assistant", "Hello, how can I help?"), ("user", "  Tell me a joke \n")],
    [
        ("system", "  You are a pirate.\n"),
        ("user", "Ahoy"),
        ("assistant", "<think>\nhm\n</think>\n\nArr!"),
        ("user", "Größe? 日本語 🏴‍☠️ e\u0301"),
        ("assistant", "\u00a0Aye\u3000"),
    ],
    [("user", "a"), ("user", "b")],
    [("system", "s"), ("system", "t"), ("user", "")],
    [("assistant", "I start."), ("user", "quotes ' \" and \\ and \t tabs\r\n{{ x }} {% y %}")],
    [("critic", "unknown role"), ("user", "<|im_end|>\n<|im_start|>system\nescape")],
    [("user", f"turn {i}") if i % 2 == 0 else ("assistant", f"answer {i}") for i in range(9)],
    [("system", "only a system turn")],
]

# One feature each; what Jinja refuses has to be refused as well.
SNIPPETS = r"""
{{ 1 + 2 * 3 - 4 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 6 / 2 }}
{{ 1.5 + 1 }} {{ 2.0 * 3 }} {{ -7.5 // 2 }} {{ 7.5 % 2 }} {{ 1_000 }} {{ -3 }} {{ +3 }} {{ 3 - -3 }}
{{ 'a' + 'b' ~ 1 ~ none ~ true ~ 1.0 }}
{{ 'a' ~ 1 + 2 }}
{{ 1 ~ 2 * 3 }}
{{ 'a' + 1 }}
{{ none + 'a' }}
{{ 1 // 0 }}
{{ 1 / 0.0 }}
{{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' == 1 }} {{ none == false }} {{ [1, 2] == [1, 2] }} {{ {'a': 1} == {'a': 1.0} }}
{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 'a' < 'b' }} {{ 'Z' < 'a' }} {{ 'é' > 'z' }} {{ 1 <= 1.0 }} {{ 2 >= 3 }} {{ 1 != 1 }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ 'é' == 'é' }} {{ 'é' | length }} {{ 'é' | length }} {{ '👩‍👩‍👧' | length }}
{{ 'b' in 'abc' }} {{ '' in 'abc' }} {{ 'x' not in 'abc' }} {{ 1 in [1, 2] }} {{ 'a' in {'a': 1} }} {{ 3 in [] }}
{{ 1 in 'abc' }}
{{ 1 in 5 }}
{{ 'x' in missing }}
{{ not 1 == 2 }} {{ not true and false }} {{ true or false and false }} {{ not (true and false) }} {{ 0 or 'x' }} {{ '' and 'y' }}
{{ 'yes' if 1 else 'no' }} {{ 'yes' if 0 else 'no' }} [{{ 'yes' if 0 }}] {{ 1 if 0 else 2 if 0 else 3 }}
{{ missing }}|{{ missing is defined }}|{{ missing | default('d') }}|{{ missing ~ 'x' }}|{{ missing == other }}|{{ not missing }}
{{ missing.attribute }}
{{ missing['key'] }}
{{ missing + 'x' }}
{{ missing < 1 }}
{{ missing() }}
{{ messages.nope }}|{{ messages[99] }}|{{ messages[0].nope }}|{{ messages[0]['nope'] }}|{{ 'abc'[9] }}|{{ 'abc'.nope }}|{{ (1).x }}
{{ messages[0].nope.deeper }}
{{ messages[0].role }} {{ messages[0]['role'] }} {{ messages.0.role }} {{ messages[-1].role }} {{ messages | first }}
{{ 'abc'[0] }}{{ 'abc'[-1] }}{{ 'abc'[1:] }}{{ 'abc'[:-1] }}{{ 'abc'[::-1] }}{{ 'abcdef'[1:5:2] }}{{ 'abc'[5:] }}{{ 'abc'[-9:2] }}{{ 'abcdef'[4:1:-1] }}{{ 'abc'[None:2] }}
{{ [1, 2, 3][1:] }} {{ [1, 2, 3][::-1] }} {{ [1, 2, 3][-2:] }} {{ [] }} {{ [1, 'a', none, true, 1.5, [2], {'k': 'v'}] }}
{{ 'abc'[::0] }}
{{ ['it\'s', "a \"q\"", 'both \' "', 'tab\t nl\n \\ é 日 \x07 \u00a0 \u200b'] }}
{{ {'b': 1, 'a': {'c': []}} }} {{ {'a': 1}.a }} {{ {'a': 1}['a'] }} {{ {'a': 1}.get('b', 2) }} {{ {'a': 1}.get('b') }}
{% for k, v in {'x': 1, 'y': 2}.items() %}{{ k }}={{ v }} {% endfor %}{% for k in {'x': 1} %}{{ k }}{% endfor %}{{ {'x': 1}.keys() | list }}{{ {'x': 1}.values() | list }}
{% for k, v in {'x': 1} | items %}{{ k }}{{ v }}{% endfor %}
{% for c in 'aé日' %}{{ c }}-{% endfor %}{% for x in missing %}{{ x }}{% else %}none{% endfor %}
{% for x in 5 %}{{ x }}{% endfor %}
{% for x in none %}{{ x }}{% endfor %}
{% for i in range(3) %}{{ i }}{% endfor %} {% for i in range(1, 4) %}{{ i }}{% endfor %} {% for i in range(5, 0, -2) %}{{ i }}{% endfor %}
{% for i in range(10) if i % 2 %}{{ loop.index }}:{{ i }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}
{% for i in [1, 2, 3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }} {% endfor %}
{% for i in [1, 2] %}{% for j in [3, 4] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
{% for i in [] %}x{% else %}empty{% endfor %}
{% for a, b in [[1, 2], [3, 4]] %}{{ a + b }} {% endfor %}
{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}
{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}
{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}
{% set ns = namespace(n=0) %}{% for i in [1, 2, 3] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }} {{ ns.missing }}
{% set x = {} %}{% set x.a = 1 %}
{% set a, b = 1, 2 %}{{ a }}{{ b }} {% set (c, d) = (3, 4) %}{{ c }}{{ d }}
{% set a, b = [1] %}
{% set t %}  block {{ 1 + 1 }} {% endset %}[{{ t }}][{{ t | trim }}]
{% for i in [1] %}{% set inner = 5 %}{% endfor %}{{ inner is defined }}
{% for i in [1] %}{% endfor %}{{ i is defined }} {{ loop is defined }}
{{ '  a b '.strip() }}|{{ '  a '.lstrip() }}|{{ '  a '.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.strip('ab') }}|{{ '　a '.strip() }}|
{{ ' a ' | trim }}|{{ 'xax' | trim('x') }}|{{ '\n\t a \r\n' | trim }}|
{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'abc'.split('x') }} {{ ''.split(',') }} {{ ''.split() }}
{{ 'abc'.split('') }}
{{ 'aXbXc'.replace('X', '--') }} {{ 'aaa'.replace('a', 'b', 2) }} {{ 'aXb' | replace('X', '') }} {{ 'aaaa'.replace('aa', 'a') }}
{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith('bc') }} {{ 'abc'.startswith('') }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.endswith('abcd') }}
{{ 'abC'.upper() }} {{ 'AbC'.lower() }} {{ 'straße é' | upper }} {{ 'ÀÉ' | lower }} {{ 'hELLO wORLD' | capitalize }} {{ "they're bill's friends" .title() }}
{{ [1, 2, 3] | join }} {{ [1, 2] | join(', ') }} {{ ['a', none] | join('-') }} {{ 'abc' | join('.') }} {{ [] | join(',') }}
{{ [1, 2, 3] | length }} {{ 'héllo' | length }} {{ {'a': 1} | count }} {{ missing | length }} {{ [3, 1] | last }} {{ [] | first }}|
{{ 5 | length }}
{{ none | length }}
{{ none | default('x') }} {{ none | default('x', true) }} {{ '' | default('x', boolean=true) }} {{ 0 | d(1) }} {{ missing | d }}|
{{ 'a"b\\c\n\t\r\u0001\u007f é 日 <>&\'' | tojson }} {{ [1, 1.5, true, none, {'a': [], 'b': {}}] | tojson }}
{{ {'a': [1, 2, {'b': none}], 'c': {}, 'd': []} | tojson(indent=2) }}
{{ messages | tojson }}
{{ missing | tojson }}
{{ '12' | int + 1 }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ 3.9 | int }} {{ ' 5 ' | int }} {{ '3.7' | int }} {{ true | int }}
{{ 12 | string + 'a' }} {{ 'abc' | list }} {{ 'abc' | reverse }} {{ [1, 2] | reverse | list }} {{ 'x' | safe }}
{{ '<b>' | safe + '<i>' ~ '<u>' }} {{ '<' + ('&' | safe) }} {{ 'a' | safe + 'b"' + "'c" | safe + {'a': 1} | tojson }} {{ '<' ~ ('<' | safe) }}
{% set x = '<' | safe %}{{ x }} {{ x + '>' }} {{ [x, '<'] }} {{ x == '<' }} {{ x in '<a' }} {{ x | length }} {{ {'<': 1}[x] }} {{ {x: 2}['<'] }}
{% set x = '<' | safe %}{{ x | tojson }} {{ x | string + '>' }} {{ x | replace('<', '&') + '>' }} {{ x | list }} {{ x is string }} {{ x > 'a' }}
{% macro f(a) %}{{ a + '<' }}{% endmacro %}{{ f('&' | safe) + '<' }} {{ ['<' | safe, '>'] | join('&') + '<' }} {{ missing | default('<' | safe) + '<' }}
{{ 'a<b'.split('<' | safe) }} {{ ['b', 'a' | safe] | sort }} {{ ['<', 1] | map('safe') | list }} {{ ('' | safe) | default('z', true) + '<' }}
{{ '' | safe + "it's <b> & \"q\"" }}
{{ ('a' | safe) + 1 }}
{{ ('a' | safe) + missing }}
{{ -1 | string ~ 'x' }} {{ (-1) | string }} {{ 2 - 1 | string | int }}
{{ 1 is number }} {{ 1.0 is number }} {{ 'a' is number }} {{ true is number }} {{ 1 is integer }} {{ true is integer }} {{ 1.0 is float }}
{{ 'a' is string }} {{ none is none }} {{ none is not none }} {{ {} is mapping }} {{ [] is sequence }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ missing is iterable }}
{{ true is true }} {{ 1 is true }} {{ false is false }} {{ true is boolean }} {{ 1 is boolean }} {{ {} is sequence }} {{ missing is none }}
{{ 4 is even }} {{ 4 is odd }} {{ 3 is odd }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ 1 is eq 1 }} {{ 1 is equalto(2) }} {{ 1 is in [1] }}
{{ 1 is defined and 2 is defined }} {{ 'a' ~ missing is defined }} {{ not missing is defined }} {{ missing is not defined or false }}
{{ 'con' 'cat' "enated" }} {{ 'esc \x41 \u00e9 \\n \' " \/' }} {{ "dq 'x'" }}
{{ {'a': 'x}}y'}['a'] }} {{ '%}' }} {{ "{{" }}
{{ (1, 2) | length }} {{ (1,) | length }} {{ () | length }}
{{ raise_exception('no') }}
{% if false %}{{ raise_exception('no') }}{% endif %}fine
{% if 1 == 2 %}a{% elif 2 == 2 %}b{% elif true %}c{% else %}d{% endif %}
{% if missing %}a{% else %}b{% endif %}{% if [] %}a{% else %}b{% endif %}{% if 0.0 %}a{% else %}b{% endif %}{% if 'x' %}a{% endif %}
{{ 'unclosed }}
{{ 1 + }}
{{ }}
{% if %}a{% endif %}
{% if true %}a
{% endif %}
{% for x of y %}{% endfor %}
{{ 1 }
{# unclosed
{{ (1 }}
{{ [1, 2 }}
{{ 1 2 }}
{{ a b }}
{% set = 1 %}
{% unknown_tag %}
{{ 'a' | unknown_filter }}
{{ 'a' is unknown_test }}
{{ unknown_function() }}
{{ 'a'.unknown_method() }}
{{ 5.strip() }}
{{ range(1, 5, 0) }}
{{ ''.join(['a', 'b']) if false else 'skipped' }}
{{ true }} {{ True }} {{ none }} {{ None }} {{ false }} {{ False }} {{ 1e3 if false else '' }}
{{ messages[0]['role'] + ': ' + messages[0]['content'] if messages[0] is mapping else 'x' }}
{{ messages | length > 1 and messages[1].role == 'assistant' }}
{{ bos_token }}{{ eos_token }}{{ add_generation_prompt }}{{ tools }}{{ unk_token is defined }}
{% macro f(a, b='x', c=none) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ f(1) }}{{ f(1, 2) }}{{ f(1, c=3) }}{{ f(a=1, b=2) }}{{ f() }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=2) }}
{% macro f(a=1, b) %}{% endmacro %}
{% set x = 1 %}{% macro f() %}{{ x }}{% set x = 5 %}{{ x }}{% endmacro %}{% set x = 2 %}{{ f() }}{{ x }}
{% macro f() %}{{ i is defined }}{{ loop is defined }}{% endmacro %}{% for i in [1] %}{{ f() }}{% endfor %}
{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}
{% set ns = namespace(n=0) %}{% macro f() %}{% set ns.n = ns.n + 1 %}{% endmacro %}{{ f() }}{{ f() }}{{ ns.n }}
{% macro f(x) %} {{ x }} {% endmacro %}{{ f('a') | trim }}{{ f('a') | length }}{{ f('b') ~ 'c' }}{{ f is defined }}{{ f is callable }}{{ g is defined }}
{% macro f(x, y) %}{{ x }}-{{ y }}{% endmacro %}{% set l = [f] %}{{ l[0](*[1, 2]) }} {{ f(*'ab') }}
{% with a = 1, b = 2 %}{{ a + b }}{% set a = 5 %}{{ a }}{% endwith %}{{ a is defined }}
{% filter upper | replace('A', 'b') %}a {{ 'c' }}{% endfilter %}
{% generation %}{% set q = 1 %}{{ q }}{% endgeneration %}{{ q is defined }}
{{ {'b': 1, 'A': 2, 'c': 0} | dictsort | map('join') | list }} {{ {'b': 1, 'a': 2} | dictsort(by='value') | map('join') | list }} {{ {'b': 1, 'A': 2} | dictsort(true) | map('join') | list }} {{ {'b': 1, 'a': 2} | dictsort(reverse=true) | map('join') | list }}
{{ {1: 'a', 20: 'b', '1': 'c'} }} {{ {1: 'a'}[1] }} {{ 1 in {1: 'a'} }} {{ '1' in {1: 'a'} }} {% for k, v in {5: 1, 2: 2} | dictsort %}{{ k + v }}{% endfor %} {{ {1: [2]} | tojson }}
{{ [3, 1, 2] | sort }} {{ ['b', 'A', 'c'] | sort }} {{ ['b', 'A'] | sort(case_sensitive=true) }} {{ [1, 3, 2] | sort(reverse=true) }} {{ messages | sort(attribute='role') | map(attribute='role') | list }}
{{ [1, 'a'] | sort }}
{{ ['a', 'B', 'A', 'b'] | unique | list }} {{ [1, 2, 1] | unique | join }} {{ [3, 1, 2] | min }} {{ [3, 1, 2] | max }} {{ [1, 2.5] | sum }} {{ [] | min }}|
{{ messages | map(attribute='role') | join(',') }} {{ [1, 2] | map('string') | join('-') }} {{ ['a ', ' b'] | map('trim') | list }} {{ [{'a': {'b': 1}}, {}] | map(attribute='a.b', default=0) | list }}
{{ [1, 0, 2, none] | select | list }} {{ [1, 2, 3] | select('odd') | list }} {{ [1, 2, 3] | reject('odd') | list }} {{ [1, 2, 3] | select('gt', 1) | list }} {{ none | select | list }} {{ none | map('upper') | list }}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ messages | rejectattr('role', 'eq', 'user') | map(attribute='role') | list }} {{ messages | selectattr('nope') | list }} {{ messages | selectattr('nope', 'undefined') | list | length }}
{{ [1] | map('string') | tojson }}
{{ [1] | select | length }}
{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb' | indent(2, true) }}|{{ 'a\n\nb' | indent(2, blank=true) }}|{{ 'a\nb\n' | indent('> ') }}|{{ '' | indent(3, true) }}|
{{ "they're (bill's) friends-here" | title }} {{ 'abc DEF' | title }}
{{ 'é <b>&\'"\u2028\U0001f600' | tojson(ensure_ascii=true) }} {{ {'b': 1, 'a': {'d': 1, 'c': 2}} | tojson(sort_keys=true) }} {{ [1, {'a': []}] | tojson(indent=4) }}
{{ 'a' * 3 }}{{ 2 * 'bc' }}{{ 'x' * 0 }}{{ 'x' * -1 }} {{ [1, 2] * 2 }} {{ true * 'y' }} {{ 'a' * 1.0 }}
{{ 'hello'.find('l') }} {{ 'hello'.rfind('l') }} {{ 'héllo'.find('o') }} {{ 'a'.find('z') }} {{ 'aXbX'.count('X') }} {{ 'abc'.count('') }} {{ ', '.join(['a', 'b']) }} {{ 'a\nb\r\nc\n'.splitlines() }}
{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.py'.removesuffix('.py') }} {{ 'x'.removeprefix('y') }} {{ '12'.isdigit() }}{{ ''.isdigit() }}{{ 'a1'.isalnum() }}{{ 'é'.isalpha() }}{{ ' \t'.isspace() }}{{ 'AB1'.isupper() }}{{ 'ab'.islower() }}{{ '1'.isupper() }}
{{ '{} and {}'.format(1, 'b') }} {{ '{0}{1}{0}'.format('a', 'b') }} {{ '{x}'.format(x=none) }} {{ '{{}}'.format() }}
{{ '{}'.format() }}
{{ '3.5' | float }} {{ 'x' | float }} {{ 2 | float }} {{ -3 | abs }} {{ (-3) | abs }} {{ (-2.5) | abs }}
{{ 1 is gt 0 }} {{ 1 is lt(0) }} {{ 1 is ge 1 }} {{ 1 is le 0 }} {{ 1 is ne 2 }} {{ none is sameas none }} {{ range is callable }} {{ 5 is callable }}
{{ namespace(a=1).a }} {{ namespace({'a': 1}).a }} {{ dict(a=1, b=2) }} {{ dict(b=2, a=1) }}
{{ raise_exception is defined }} {{ range is defined }} {{ lipsum is undefined }}
{{ [1, 2].append(3) }}
{{ {'a': 1}.update({'b': 2}) }}
{{ {'a': 1}.pop('a') }}
{{ [{'a': 1}, {'a': 2}] | join('-', attribute='a') }} {{ none | trim }} {{ [1] | string | length }} {{ 5 | trim }}
{{ 'a' in ['a'] and 'b' not in 'abc' or false }} {{ [1, 2] in [[1, 2]] }} {{ {'a': 1} in [{'a': 1}] }}
{{ ('a', 'b')[0] }} {% for x in ('a', 'b') %}{{ x }}{% endfor %}
""".strip().split("\n")

SPACING = [
    "a\n{% if true %}\nb\n{% endif %}\nc\n",
    "a\n  {% if true %}  \nb\n  {% endif %}\nc",
    "a  {% if true %}  b  {% endif %}  c",
    "  {% if true %}b{% endif %}",
    "\t {% if true %}\n\n b\n\n{% endif %}\n\n",
    "a \n {%- if true %} b {% endif -%} \n c",
    "a\n   {%+ if true %}b{% endif +%}\nc",
    "a {{- 1 -}} b {{ 2 }}\n{{ 3 }}\n  {{ 4 }}\n\n{{- 5 }}",
    "a\n  {# comment #}\nb\n  {#- comment -#}  \nc {# x #} d\n{#+ y +#}\ne",
    "x{% set a = 1 %}\n{{ a }}{% set b = 2 %}\n\n{{ b }}\n",
    "line\r\n{% if true %}\r\nb\r\n{% endif %}\r\nend\r\n",
    "end\n\n\n",
    "{% if true %}\n  {% if true %}\n    x\n  {% endif %}\n{% endif %}\n",
    "{% for i in [1, 2] %}  \n  {{ i }}  \n  {% endfor %}  \nend",
    "a\u00a0{%- if true -%}\u00a0b{% endif %}",
    "\u00a0{% if true %}b{% endif %}",
    "{%if true%}x{%endif%}{{1}}{{'a'}}",
    "{%- if true -%}\n\n x \n\n{%- endif -%}",
    "{{ 1 }}{# c #}\n{{ 2 }}\n{# c -#}\n\n  {{ 3 }}",
    "{% if true %}{% endif %}\n{% if true -%}\n y{% endif %}",
    "{ % {a} #} }} %} {",
    "{{\n1\n+\n2\n}}\n{%\nif\ntrue\n%}\nz{% endif %}",
    "  {% if true %}\n  {{ 'x' }}\n  {% endif %}  {% if true %}\ny{% endif %}",
    "",
]


def outcome(env, template, **variables):
    try:
        return env.from_string(template).render(**variables)
    except Refused as refused:
        return {"refused": str(refused)}
    except (jinja2.TemplateError, TypeError, ValueError, ZeroDivisionError, OverflowError,
            LookupError, RecursionError):
        return None


def main():
    from gguf import GGUFReader

    model, target = sys.argv[1:]
    env = environment()
    styles = dict(STYLES)
    styles["SmolLM2"] = GGUFReader(model).fields["tokenizer.chat_template"].contents()
    conversations = [
        [{"role": role, "content": content} for role, content in turns] for turns in CONVERSATIONS
    ]
    rendered = []
    for name, template in styles.items():
        for index, messages in enumerate(conversations):
            for prompt in [False, True]:
                expected = outcome(
                    env, template, messages=messages, add_generation_prompt=prompt, tools=None,
                    documents=None, bos_token="<s>", eos_token="</s>",
                )  # fmt: skip
                rendered.append(
                    {"style": name, "conversation": index, "prompt": prompt, "expected": expected}
                )
    context = dict(
        messages=conversations[2], add_generation_prompt=True, tools=None, documents=None,
        bos_token="<s>", eos_token="</s>",
    )  # fmt: skip
    fixture = {
        "jinja2": importlib.metadata.version("jinja2"),
        "python": sys.version.split()[0],
        "styles": styles,
        "conversations": conversations,
        "rendered": rendered,
        "snippetConversation": 2,
        "snippets": [
            {"template": snippet, "expected": outcome(env, snippet, **context)}
            for snippet in SNIPPETS + SPACING
        ],
    }
    with open(target, "w") as file:
        json.dump(fixture, file, indent=1)
        file.write("\n")
    print(len(styles), "styles", len(rendered), "rendered", len(fixture["snippets"]), "snippets")
    print(sum(case["expected"] is None for case in fixture["snippets"]), "of them refused")


main()
