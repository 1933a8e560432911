#include "bertfast/pack.h"

#include <algorithm>

namespace bertfast {
namespace {

// Where the parts of a row stand: [CLS] a [SEP] b [SEP], or a b.
struct Layout {
  Layout(const RowPlan& plan, std::size_t row, bool special)
      : na(plan.a_length[row]),
        nb(plan.b_length[row]),
        a(special ? 1 : 0),
        b(a + na + (special ? 1 : 0)),
        end(b + nb + (special && nb > 0 ? 1 : 0)) {}

  std::int64_t na;
  std::int64_t nb;
  std::int64_t a;    // first piece of a
  std::int64_t b;    // first piece of b; segment 1 begins here
  std::int64_t end;  // tokens in the row
};

template <class T>
void write_ids(const RowPlan& plan, std::size_t row, const Layout& at,
               const std::int32_t* ids_a, const std::int32_t* ids_b,
               const SpecialTokens& special, T* ids) {
  std::copy_n(ids_a + plan.a_begin[row], at.na, ids + at.a);
  std::copy_n(ids_b + plan.b_begin[row], at.nb, ids + at.b);
  if (!special.enabled) return;
  ids[0] = special.cls_id;
  ids[at.b - 1] = special.sep_id;
  if (at.nb > 0) ids[at.end - 1] = special.sep_id;
}

}  // namespace

void add_special_tokens(std::int32_t cls_id, std::int32_t sep_id, std::size_t n_rows,
                        std::int64_t* row_ends, IdBuffer* ids) {
  ids->reserve_more(2 * n_rows);
  std::int32_t* const first = ids->ids().data();
  std::int32_t* end = ids->end() + 2 * n_rows;
  ids->set_end(end);
  // From the last row on, so that each moves to where the next one has left.
  for (std::size_t row = n_rows; row-- > 0;) {
    const std::int64_t begin = row == 0 ? 0 : row_ends[row - 1];
    const std::int64_t stop = row_ends[row];
    row_ends[row] = end - first;
    *--end = sep_id;
    end = std::copy_backward(first + begin, first + stop, end);
    *--end = cls_id;
  }
}

void pack_ragged(const RowPlan& plan, const std::int32_t* ids_a,
                 const std::int32_t* ids_b, SpecialTokens special,
                 const std::int64_t* offsets, std::int32_t* ids) {
  for (std::size_t row = 0; row < plan.n_rows; ++row) {
    const Layout at(plan, row, special.enabled);
    write_ids(plan, row, at, ids_a, ids_b, special, ids + offsets[row]);
  }
}

template <class T>
void pack_padded(const RowPlan& plan, const std::int32_t* ids_a,
                 const std::int32_t* ids_b, SpecialTokens special, std::int32_t pad_id,
                 std::size_t width, T* input_ids, T* input_mask, T* segment_ids) {
  for (std::size_t row = 0; row < plan.n_rows; ++row) {
    const Layout at(plan, row, special.enabled);
    T* ids = input_ids + row * width;
    T* mask = input_mask + row * width;
    T* segments = segment_ids + row * width;
    write_ids(plan, row, at, ids_a, ids_b, special, ids);
    std::fill(ids + at.end, ids + width, static_cast<T>(pad_id));
    std::fill(mask, mask + at.end, T{1});
    std::fill(mask + at.end, mask + width, T{0});
    std::fill(segments, segments + width, T{0});
    if (at.nb > 0) std::fill(segments + at.b, segments + at.end, T{1});
  }
}

template void pack_padded(const RowPlan&, const std::int32_t*, const std::int32_t*,
                          SpecialTokens, std::int32_t, std::size_t, std::int32_t*,
                          std::int32_t*, std::int32_t*);
template void pack_padded(const RowPlan&, const std::int32_t*, const std::int32_t*,
                          SpecialTokens, std::int32_t, std::size_t, std::int64_t*,
                          std::int64_t*, std::int64_t*);

void pack_spans(const RowPlan& plan, const Span* spans_a, const Span* spans_b,
                bool special, std::size_t width, Span* spans) {
  for (std::size_t row = 0; row < plan.n_rows; ++row) {
    const Layout at(plan, row, special);
    std::copy_n(spans_a + plan.a_begin[row], at.na, spans + row * width + at.a);
    std::copy_n(spans_b + plan.b_begin[row], at.nb, spans + row * width + at.b);
  }
}

}  // namespace bertfast
