#include "bertfast/text.h"

namespace bertfast {
namespace {

template <class Unit>
std::size_t cut_units(const void* data, std::size_t length) {
  const auto* units = static_cast<const Unit*>(data);
  while (length > 0) {
    if (is_ascii_space(units[length - 1])) break;
    --length;
  }
  return length;
}

}  // namespace

std::size_t cut_at_space(const Text& text) {
  if (text.unit_bytes() == 2) return cut_units<std::uint16_t>(text.data, text.length);
  if (text.unit_bytes() == 4) return cut_units<std::uint32_t>(text.data, text.length);
  return cut_units<std::uint8_t>(text.data, text.length);
}

}  // namespace bertfast
