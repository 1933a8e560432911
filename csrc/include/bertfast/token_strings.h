// The tokens of a vocabulary as code points.
#ifndef BERTFAST_TOKEN_STRINGS_H_
#define BERTFAST_TOKEN_STRINGS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bertfast/text.h"
#include "bertfast/unicode.h"

namespace bertfast {

struct VocabEntry {
  Text token;
  std::int32_t id;
};

// All tokens one behind the other: a memory of its own for each would be most of the
// time that a vocabulary takes. Immutable after construction.
class TokenStrings {
 public:
  // Reads `vocab`, which is not kept. O(total length).
  explicit TokenStrings(const std::vector<VocabEntry>& vocab);

  std::size_t size() const { return ids_.size(); }
  CodePoints token(std::size_t i) const {
    return {code_points_.data() + starts_[i], code_points_.data() + starts_[i + 1]};
  }
  std::int32_t id(std::size_t i) const { return ids_[i]; }
  // Whether it stands for the rest of a word: "##" and more.
  bool is_continuation(std::size_t i) const {
    const CodePoint* begin = token(i).begin();
    return token(i).size() > 2 && begin[0] == '#' && begin[1] == '#';
  }

  // Where token i begins among the code points of all.
  std::size_t start(std::size_t i) const { return starts_[i]; }
  const std::vector<CodePoint>& code_points() const { return code_points_; }

 private:
  std::vector<CodePoint> code_points_;
  std::vector<std::size_t> starts_;  // and the end of the last
  std::vector<std::int32_t> ids_;
};

}  // namespace bertfast

#endif  // BERTFAST_TOKEN_STRINGS_H_
