#include "bertfast/lines.h"

#include <cstring>

namespace bertfast {

void append_lines(const std::uint8_t* bytes, std::size_t n, std::vector<Text>* texts) {
  const std::uint8_t* end = bytes + n;
  while (bytes != end) {
    const auto left = static_cast<std::size_t>(end - bytes);
    const auto* feed = static_cast<const std::uint8_t*>(std::memchr(bytes, '\n', left));
    const std::uint8_t* line_end = feed == nullptr ? end : feed;
    texts->push_back(
        {bytes, static_cast<std::size_t>(line_end - bytes), TextKind::kUtf8});
    bytes = feed == nullptr ? end : feed + 1;
  }
}

}  // namespace bertfast
