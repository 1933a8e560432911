// String arrays of Apache Arrow, read in place through its C data interface.
//
// Source: arrow.apache.org/docs/format/CDataInterface.html and Columnar.html. The
// structures below are that interface's ABI.
#ifndef BERTFAST_ARROW_H_
#define BERTFAST_ARROW_H_

#include <cstdint>
#include <vector>

#include "bertfast/text.h"

extern "C" {

struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  std::int64_t flags;
  std::int64_t n_children;
  ArrowSchema** children;
  ArrowSchema* dictionary;
  void (*release)(ArrowSchema*);
  void* private_data;
};

struct ArrowArray {
  std::int64_t length;
  std::int64_t null_count;
  std::int64_t offset;
  std::int64_t n_buffers;
  std::int64_t n_children;
  const void** buffers;
  ArrowArray** children;
  ArrowArray* dictionary;
  void (*release)(ArrowArray*);
  void* private_data;
};

struct ArrowArrayStream {
  int (*get_schema)(ArrowArrayStream*, ArrowSchema* out);
  int (*get_next)(ArrowArrayStream*, ArrowArray* out);
  const char* (*get_last_error)(ArrowArrayStream*);
  void (*release)(ArrowArrayStream*);
  void* private_data;
};

}  // extern "C"

namespace bertfast {

// Whether `schema` is an array of strings or bytes: string, large_string, string_view,
// binary, large_binary or binary_view, not dictionary-encoded.
bool is_arrow_text(const ArrowSchema& schema);

// Appends the texts of `array`, which point into its memory. Returns the number of the
// first null row, counted from the start of `array`, with the texts before it appended;
// -1 if there is none. `schema` must be is_arrow_text(); the array is trusted to be as
// the format demands.
std::int64_t append_arrow_texts(const ArrowSchema& schema, const ArrowArray& array,
                                std::vector<Text>* texts);

}  // namespace bertfast

#endif  // BERTFAST_ARROW_H_
