#include "bertfast/arrow.h"

#include <cstring>

namespace bertfast {
namespace {

Text utf8(const std::uint8_t* data, std::int64_t length) {
  return {data, static_cast<std::size_t>(length), TextKind::kUtf8};
}

// Buffers: validity, offsets, bytes.
template <class Offset>
Text text_at(const ArrowArray& array, std::int64_t index) {
  const auto* offsets = static_cast<const Offset*>(array.buffers[1]);
  const auto* bytes = static_cast<const std::uint8_t*>(array.buffers[2]);
  if (offsets[index] == offsets[index + 1]) return utf8(nullptr, 0);
  return utf8(bytes + offsets[index], offsets[index + 1] - offsets[index]);
}

// Buffers: validity, views, then bytes in as many buffers as the views name. A view is
// 16 bytes:
//   | length | up to 12 bytes                |
//   | length | first 4 | buffer | offset     |   if longer
Text view_at(const ArrowArray& array, std::int64_t index) {
  const auto* view = static_cast<const std::uint8_t*>(array.buffers[1]) + index * 16;
  std::int32_t fields[4];
  std::memcpy(fields, view, sizeof(fields));
  if (fields[0] <= 12) return utf8(view + 4, fields[0]);
  const auto* bytes = static_cast<const std::uint8_t*>(array.buffers[2 + fields[2]]);
  return utf8(bytes + fields[3], fields[0]);
}

bool is_null(const ArrowArray& array, std::int64_t index) {
  const auto* validity = static_cast<const std::uint8_t*>(array.buffers[0]);
  if (array.null_count == 0 || validity == nullptr) return false;
  return (validity[index / 8] >> (index % 8) & 1) == 0;
}

}  // namespace

bool is_arrow_text(const ArrowSchema& schema) {
  if (schema.dictionary != nullptr) return false;
  for (const char* format : {"u", "U", "vu", "z", "Z", "vz"}) {
    if (std::strcmp(schema.format, format) == 0) return true;
  }
  return false;
}

std::int64_t append_arrow_texts(const ArrowSchema& schema, const ArrowArray& array,
                                std::vector<Text>* texts) {
  texts->reserve(texts->size() + static_cast<std::size_t>(array.length));
  for (std::int64_t row = 0; row < array.length; ++row) {
    const std::int64_t index = array.offset + row;
    if (is_null(array, index)) return row;
    if (schema.format[0] == 'v') {
      texts->push_back(view_at(array, index));
    } else if (schema.format[0] == 'u' || schema.format[0] == 'z') {
      texts->push_back(text_at<std::int32_t>(array, index));
    } else {
      texts->push_back(text_at<std::int64_t>(array, index));
    }
  }
  return -1;
}

}  // namespace bertfast
