#!/usr/bin/env bash
# Looks at the default model from four sides: its tokens, its probabilities, its answer, and the
# inside of its first block. Leaves site-activations.safetensors in the current folder.
#
#   Examples/look-inside.sh [PLUMBLINE]        default: .build/release/plumbline of this checkout
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
plumbline="${1:-$here/../.build/release/plumbline}"
text="The capital of France is Paris."

printf '%s' "$text" | "$plumbline" tokenize --json
printf '%s' "$text" | "$plumbline" logprobs --json
"$plumbline" generate --chat "$here/chat.json" --max-tokens 24 --json
printf '%s' "$text" | "$plumbline" trace --site blocks.0.resid_post --site blocks.0.attn.pattern \
  --output site-activations.safetensors
