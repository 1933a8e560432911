// Fills the arrays of a batch from ragged pieces: [CLS] a [SEP] b [SEP] and padding.
#ifndef BERTFAST_PACK_H_
#define BERTFAST_PACK_H_

#include <cstddef>
#include <cstdint>

#include "bertfast/id_buffer.h"

namespace bertfast {

// Which pieces each output row holds; arrays of n_rows. A row with b_length 0 has no
// second [SEP]. Slices must lie inside the arrays that they index.
struct RowPlan {
  std::size_t n_rows;
  const std::int64_t* a_begin;
  const std::int64_t* a_length;
  const std::int64_t* b_begin;
  const std::int64_t* b_length;
};

struct SpecialTokens {
  bool enabled;
  std::int32_t cls_id;
  std::int32_t sep_id;
};

// Puts [CLS] before and [SEP] behind each of the rows that `ids` holds, one after the
// other, in place; row i ends before row_ends[i]. `ids` has no spans. Throws
// std::bad_alloc, with nothing changed.
void add_special_tokens(std::int32_t cls_id, std::int32_t sep_id, std::size_t n_rows,
                        std::int64_t* row_ends, IdBuffer* ids);

// Writes row i at ids[offsets[i]].
void pack_ragged(const RowPlan& plan, const std::int32_t* ids_a,
                 const std::int32_t* ids_b, SpecialTokens special,
                 const std::int64_t* offsets, std::int32_t* ids);

// Writes [n_rows, width] matrices; rows must fit the width. T is int32_t or int64_t.
template <class T>
void pack_padded(const RowPlan& plan, const std::int32_t* ids_a,
                 const std::int32_t* ids_b, SpecialTokens special, std::int32_t pad_id,
                 std::size_t width, T* input_ids, T* input_mask, T* segment_ids);

// Writes spans [n_rows, width] into zeroed memory.
void pack_spans(const RowPlan& plan, const Span* spans_a, const Span* spans_b,
                bool special, std::size_t width, Span* spans);

}  // namespace bertfast

#endif  // BERTFAST_PACK_H_
