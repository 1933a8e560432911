// Cuts bytes into lines.
#ifndef BERTFAST_LINES_H_
#define BERTFAST_LINES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bertfast/text.h"

namespace bertfast {

// Appends the lines of bytes[0, n) as UTF-8 texts that point into it. A line ends at a
// line feed, which is not part of it, or at the end; there is no line after the last
// line feed.
void append_lines(const std::uint8_t* bytes, std::size_t n, std::vector<Text>* texts);

}  // namespace bertfast

#endif  // BERTFAST_LINES_H_
