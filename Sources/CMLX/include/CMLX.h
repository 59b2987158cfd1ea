// The C face of MLX and oneDNN for Swift.
//
// Every call that can fail returns NULL or false and leaves one sentence in `cmlx_error()`. C++
// exceptions never cross this header. Arrays are handles owned by the caller and released with
// `cmlx_free`; they belong, like MLX's streams, to the thread that made them.
#ifndef CMLX_H
#define CMLX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cmlx_array cmlx_array;
typedef struct cmlx_packed cmlx_packed;

typedef enum {
  CMLX_BOOL, CMLX_UINT8, CMLX_UINT32, CMLX_INT32, CMLX_INT64, CMLX_FLOAT16, CMLX_BFLOAT16,
  CMLX_FLOAT32
} cmlx_dtype;

/// The last error on this thread; valid until the next failing call.
const char *cmlx_error(void);
const char *cmlx_version(void);

// Arrays.
cmlx_array *cmlx_from_bytes(const void *bytes, const int *shape, int rank, cmlx_dtype dtype);
/// Memory for an array, to be written through `cmlx_data` before anything else.
cmlx_array *cmlx_empty(const int *shape, int rank, cmlx_dtype dtype);
void *cmlx_data(cmlx_array *a);
cmlx_array *cmlx_full(const int *shape, int rank, float value, cmlx_dtype dtype);
cmlx_array *cmlx_arange(double start, double stop, double step, cmlx_dtype dtype);
cmlx_array *cmlx_copy_handle(const cmlx_array *a);
void cmlx_free(cmlx_array *a);
int cmlx_rank(const cmlx_array *a);
const int *cmlx_shape(const cmlx_array *a);
size_t cmlx_size(const cmlx_array *a);
/// The element type, or -1 for one that this header does not name.
int cmlx_dtype_of(const cmlx_array *a);
/// Evaluates, then copies `cmlx_size(a)` row-major elements of the array's own type.
bool cmlx_copy_out(const cmlx_array *a, void *destination, size_t bytes);
bool cmlx_eval(cmlx_array *const *arrays, int count);

// Operations.
typedef enum {
  CMLX_NEGATE, CMLX_EXP, CMLX_LOG, CMLX_SQRT, CMLX_RSQRT, CMLX_SQUARE, CMLX_ABS, CMLX_SIGMOID,
  CMLX_TANH, CMLX_SIN, CMLX_COS, CMLX_RECIPROCAL, CMLX_STOP_GRADIENT, CMLX_CONTIGUOUS,
  CMLX_LOGICAL_NOT, CMLX_ERF
} cmlx_unary_op;
cmlx_array *cmlx_unary(cmlx_unary_op op, const cmlx_array *a);

typedef enum {
  CMLX_ADD, CMLX_SUBTRACT, CMLX_MULTIPLY, CMLX_DIVIDE, CMLX_MAXIMUM, CMLX_MINIMUM, CMLX_POWER,
  CMLX_LESS, CMLX_LESS_EQUAL, CMLX_EQUAL, CMLX_LOGICAL_AND, CMLX_MATMUL
} cmlx_binary_op;
cmlx_array *cmlx_binary(cmlx_binary_op op, const cmlx_array *a, const cmlx_array *b);

typedef enum {
  CMLX_SUM, CMLX_MEAN, CMLX_MAX, CMLX_MIN, CMLX_LOGSUMEXP, CMLX_SOFTMAX, CMLX_VARIANCE
} cmlx_reduce_op;
cmlx_array *cmlx_reduce(
    cmlx_reduce_op op, const cmlx_array *a, const int *axes, int count, bool keep_dims);

typedef enum { CMLX_ARGMAX, CMLX_ARGMIN, CMLX_ARGSORT, CMLX_CUMSUM, CMLX_SORT } cmlx_axis_op;
cmlx_array *cmlx_along_axis(cmlx_axis_op op, const cmlx_array *a, int axis);
/// The `count` largest elements along `axis`, in no order.
cmlx_array *cmlx_topk(const cmlx_array *a, int count, int axis);

cmlx_array *cmlx_astype(const cmlx_array *a, cmlx_dtype dtype);
cmlx_array *cmlx_reshape(const cmlx_array *a, const int *shape, int rank);
cmlx_array *cmlx_broadcast_to(const cmlx_array *a, const int *shape, int rank);
cmlx_array *cmlx_transpose(const cmlx_array *a, const int *axes, int count);
cmlx_array *cmlx_expand_dims(const cmlx_array *a, int axis);
cmlx_array *cmlx_squeeze(const cmlx_array *a, int axis);
cmlx_array *cmlx_concatenate(cmlx_array *const *arrays, int count, int axis);
cmlx_array *cmlx_slice(
    const cmlx_array *a, const int *start, const int *stop, const int *strides, int rank);
cmlx_array *cmlx_slice_update(
    const cmlx_array *a, const cmlx_array *update, const int *start, const int *stop, int rank);
cmlx_array *cmlx_take(const cmlx_array *a, const cmlx_array *indices, int axis);
cmlx_array *cmlx_take_along_axis(const cmlx_array *a, const cmlx_array *indices, int axis);
cmlx_array *cmlx_where(const cmlx_array *condition, const cmlx_array *a, const cmlx_array *b);

// Random numbers, always from an explicit key.
cmlx_array *cmlx_random_key(uint64_t seed);
bool cmlx_random_split(const cmlx_array *key, cmlx_array **first, cmlx_array **second);
cmlx_array *cmlx_random_uniform(const int *shape, int rank, const cmlx_array *key);
cmlx_array *cmlx_random_normal(const int *shape, int rank, const cmlx_array *key);
cmlx_array *cmlx_random_categorical(const cmlx_array *logits, int axis, const cmlx_array *key);

// Linear algebra, in fp32. Outputs not produced by an operation are set to NULL.
typedef enum { CMLX_QR, CMLX_SVD, CMLX_INVERSE, CMLX_CHOLESKY, CMLX_EIGH } cmlx_factor_op;
bool cmlx_factor(cmlx_factor_op op, const cmlx_array *a, cmlx_array **out, int *count);
cmlx_array *cmlx_solve(const cmlx_array *a, const cmlx_array *b);

// Differentiation.
/// Maps `inputs` to one scalar loss followed by auxiliary outputs; writes at most `capacity` owned
/// handles and returns how many, or a negative number on failure.
typedef int (*cmlx_function)(
    void *context, cmlx_array *const *inputs, int count, cmlx_array **outputs, int capacity);
/// Gradients of the first output with respect to all inputs. `values` receives the outputs,
/// `gradients` exactly `count` handles. Returns the number of outputs, or a negative number.
int cmlx_value_and_grad(
    cmlx_function function, void *context, cmlx_array *const *inputs, int count,
    cmlx_array **values, int capacity, cmlx_array **gradients);

// Memory, in bytes.
/// Whether libmlx takes its memory from our allocator, which begins arrays at a cache line.
bool cmlx_aligns_arrays(void);
size_t cmlx_active_memory(void);
size_t cmlx_peak_memory(void);
/// Freed memory that is kept for reuse.
size_t cmlx_cached_memory(void);
void cmlx_reset_peak_memory(void);
/// Freed memory is kept for reuse as long as it and what is in use do not exceed what was once in use, from
/// now on, by more than this. Without a call, by more than half of it, at least 32 MB and at most 128 MB. In
/// a build for a GPU it is MLX's own limit, of all that is kept.
void cmlx_set_cache_limit(size_t bytes);
void cmlx_clear_cache(void);

// Processor.
/// Calls of our own `cblas_sgemm` so far: the proof that libmlx found it and not the wheel's.
uint64_t cmlx_sgemm_calls(void);
/// Whether there are instructions for products in bf16 (AVX-512 BF16 or AMX).
bool cmlx_has_native_bf16(void);
/// Whether the processor multiplies tiles of bf16 (AMX), by which two parts are faster than fp32.
bool cmlx_packs_in_parts(void);
/// Whether weights can be packed in bf16 at all.
bool cmlx_packs_bf16(void);
/// The instruction set that the fused kernels dispatch to, e.g. "AVX3_DL", and oneDNN's.
const char *cmlx_kernel_target(void);
const char *cmlx_gemm_target(void);
/// Threads that products and kernels share.
int cmlx_threads(void);
/// Processors' worth of time that the control groups listed in the file `groups` grant, or 0 for any;
/// `root` is where their folders are.
double cmlx_granted_processors(const char *groups, const char *root);
/// Makes waiting threads sleep soon, so that programs beside each other do not wait for threads that
/// are not running. The first call starts threads that sleep for good.
void cmlx_bound_spinning(void);

/// Makes MLX run on its first GPU, from now on and for this thread's streams, and the operations below with
/// it as expressions of MLX's own. False without a GPU.
bool cmlx_use_gpu(void);
const char *cmlx_gpu_name(void);
/// Whether the operations below are expressions of MLX's own, wherever these run.
void cmlx_use_graph(bool use);
bool cmlx_uses_graph(void);

// Fused operations with derivatives of their own.
/// Writes rows `first` ..< `first + count` of a matrix, or returns false.
typedef bool (*cmlx_row_source)(void *context, int first, int count, float *rows);
/// Frozen weights `[rows, columns]`, packed once for products with W and its transpose: in bf16 (one part),
/// or as the sum of two such numbers (where `cmlx_packs_in_parts`). Rows are asked for in their order.
cmlx_packed *cmlx_pack(
    int rows, int columns, int parts, cmlx_row_source source, void *context);
/// Weights `[rows, columns]` in blocks along each row, as a GGUF file holds them; row i is made of the
/// blocks of row `order[i]`, or i without an order. Products of up to 8 rows are taken with them as
/// integers, x rounded to 22 bits for every 32 columns, and others as with one part.
typedef enum {
  CMLX_Q4_0,
  CMLX_Q4_1,
  CMLX_Q8_0,
  CMLX_Q5_0,
  CMLX_Q5_1,
  CMLX_Q2_K,
  CMLX_Q3_K,
  CMLX_Q4_K,
  CMLX_Q5_K,
  CMLX_Q6_K
} cmlx_block_type;
int cmlx_block_columns(cmlx_block_type type);
int cmlx_block_bytes(cmlx_block_type type);
cmlx_packed *cmlx_pack_blocks(
    cmlx_block_type type, const void *blocks, int rows, int columns, const int *order);
void cmlx_packed_free(cmlx_packed *packed);
/// Whether it does for both directions without the fp32 weight beside it.
bool cmlx_packed_is_complete(const cmlx_packed *packed);
/// `x Wᵀ`, plus `scale · (x Aᵀ) Bᵀ` where an adapter is given. x `[tokens, in]`, A `[rank, in]`,
/// B `[out, rank]`. The weight is frozen: it receives no gradient. With `packed` the base product
/// is taken with its parts and fp32 accumulation; `weight` may be null where that is complete.
cmlx_array *cmlx_linear(
    const cmlx_array *x, const cmlx_array *weight, const cmlx_packed *packed,
    const cmlx_array *a, const cmlx_array *b, float scale);
/// silu, gelu (x Φ(x)) and gelu by tanh.
typedef enum { CMLX_SILU, CMLX_GELU, CMLX_GELU_TANH } cmlx_activation;
/// act(gate) · up.
cmlx_array *cmlx_gated(cmlx_activation act, const cmlx_array *gate, const cmlx_array *up);
cmlx_array *cmlx_activate(cmlx_activation act, const cmlx_array *x);
cmlx_array *cmlx_layer_norm(
    const cmlx_array *x, const cmlx_array *weight, const cmlx_array *bias, float epsilon);
cmlx_array *cmlx_rms_norm(const cmlx_array *x, const cmlx_array *weight, float epsilon);
/// x `[tokens, heads, dHead]`, cosine and sine `[tokens, n]`; the first n elements of each head are
/// rotated with the n after them, and the rest is passed on.
cmlx_array *cmlx_rope(const cmlx_array *x, const cmlx_array *cosine, const cmlx_array *sine);
/// q `[queries, heads, dHead]`, k and v `[keys, kvHeads, dHead]`; `ranges` int32 `[queries, n, 3]`
/// lists for each query the key rows it sees as (begin, end, stride). Scores are scale · q·k, with a
/// `soft_cap` above zero soft_cap · tanh of that / soft_cap. `in_parts` takes products as of weights in two
/// parts, where `cmlx_packs_in_parts()`; the gradient is fp32.
cmlx_array *cmlx_attention(
    const cmlx_array *q, const cmlx_array *k, const cmlx_array *v, const cmlx_array *ranges,
    float scale, float soft_cap, bool in_parts);
/// Whether every range of `ranges` lies within `keys` rows; attention itself does not check, so that
/// one table serves all layers.
bool cmlx_check_ranges(const cmlx_array *ranges, int keys);
/// For every row of `logits` `[rows, columns]`: the first index of its maximum, that maximum, and
/// log Σ exp in nats. Evaluates the tensor; the outputs have room for `rows` values.
bool cmlx_summarise_rows(
    const cmlx_array *logits, int32_t *best, float *highest, float *log_sum);
/// Negative log-likelihood in nats `[tokens]` of `targets` under softmax(h Uᵀ), U `[vocabulary,
/// d]` frozen, worked through in vocabulary chunks. `with_gradient` also prepares dh in the same
/// pass. `target_rows` `[tokens, d]` are the targets' rows of U, which may be null itself where
/// the packed one is complete.
cmlx_array *cmlx_cross_entropy(
    const cmlx_array *h, const cmlx_array *unembed, const cmlx_packed *packed,
    const cmlx_array *target_rows, const cmlx_array *targets, bool with_gradient);
/// Of softmax(h Uᵀ) for every row of h `[tokens, d]`, in one pass over U: log Σ exp in nats, the first most
/// probable token as int32, and where wanted the expected row of U `[tokens, d]`, which is also the first one's
/// gradient. `results` has room for three.
bool cmlx_log_partition(
    const cmlx_array *h, const cmlx_array *unembed, const cmlx_packed *packed, bool with_expected,
    cmlx_array **results);

// Decoding: one token each for a few sequences, without a graph.
/// What a transformer does to registers, each `[tokens, width]` in fp32. Operations are added in their
/// order and run in it; those that do not depend on each other run together.
typedef struct cmlx_decoder cmlx_decoder;
cmlx_decoder *cmlx_decoder_new(void);
void cmlx_decoder_free(cmlx_decoder *decoder);
/// A register; the first one takes the embedding and the last one's values are returned.
int cmlx_decoder_register(cmlx_decoder *decoder, int width);
/// to = norm of every group of `from` as wide as `weight`; RMSNorm without a bias, else LayerNorm.
bool cmlx_decoder_norm(
    cmlx_decoder *decoder, int from, int to, const cmlx_array *weight, const cmlx_array *bias,
    float epsilon);
/// to (+)= scale · from Wᵀ + bias, with W packed (and the scale 1) or `[out, in]` in fp32.
bool cmlx_decoder_linear(
    cmlx_decoder *decoder, int from, int to, const cmlx_packed *packed, const cmlx_array *weight,
    const cmlx_array *bias, float scale, bool adds);
typedef struct {
  int layer, view, heads, kv_heads, d_head;
  float scale, soft_cap;
} cmlx_decoder_attention;
/// Rotates the queries in place, writes rotated keys and values into the layer's cache, and attends.
bool cmlx_decoder_attend(
    cmlx_decoder *decoder, int q, int k, int v, int to, cmlx_decoder_attention attention);
/// to = act(gate) · up; without `up` (-1), act(gate).
bool cmlx_decoder_activate(
    cmlx_decoder *decoder, cmlx_activation act, int gate, int up, int to);
/// to = a + b.
bool cmlx_decoder_add(cmlx_decoder *decoder, int a, int b, int to);
/// What the attention of one kind of layer sees: `ranges` as `cmlx_attention`'s, and angles as
/// `cmlx_rope`'s, or null.
typedef struct {
  const cmlx_array *ranges, *cosine, *sine;
} cmlx_decoder_view;
/// Runs x `[tokens, width]` through the operations. Each token's key and value are written in place into
/// its row of the caches, a pair of `[rows, kvHeads, dHead]` a layer, fp32 or both in half precision, which
/// nothing else may hold.
cmlx_array *cmlx_decoder_run(
    cmlx_decoder *decoder, const cmlx_array *x, const cmlx_decoder_view *views, int view_count,
    cmlx_array *const *keys, cmlx_array *const *values, int layers,
    const int *rows);

/// What one step of AdamW multiplies and adds: `keep` is 1 - learning rate · weight decay, `rate`
/// the learning rate over the first moment's bias correction, `correction` the root of the second's.
typedef struct {
  double beta1, beta2;
  float epsilon, keep, rate, correction;
} cmlx_adamw_step;
/// Parameters p with gradients g and moments m and v, all of one shape, one step on; `updated`
/// receives p, m and v.
bool cmlx_adamw(
    const cmlx_array *p, const cmlx_array *g, const cmlx_array *m, const cmlx_array *v,
    cmlx_adamw_step step, cmlx_array **updated);

#ifdef __cplusplus
}
#endif
#endif
