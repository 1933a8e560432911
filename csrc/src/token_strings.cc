#include "bertfast/token_strings.h"

namespace bertfast {

TokenStrings::TokenStrings(const std::vector<VocabEntry>& vocab) {
  std::size_t n_units = 0;
  for (const VocabEntry& entry : vocab) n_units += entry.token.length;
  code_points_.reserve(n_units);
  starts_.reserve(vocab.size() + 1);
  ids_.reserve(vocab.size());
  starts_.push_back(0);
  for (const VocabEntry& entry : vocab) {
    read_text(entry.token, [this](auto reader) {
      CodePoint code_point;
      while (reader.next(&code_point)) code_points_.push_back(code_point);
    });
    starts_.push_back(code_points_.size());
    ids_.push_back(entry.id);
  }
}

}  // namespace bertfast
