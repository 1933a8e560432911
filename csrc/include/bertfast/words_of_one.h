// Characters that are words of their own whatever stands beside them: ideographs, and
// punctuation on which no neighbour's meaning depends. Chinese and Japanese are made of
// them, so their ids are one look-up away.
#ifndef BERTFAST_WORDS_OF_ONE_H_
#define BERTFAST_WORDS_OF_ONE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bertfast/char_map.h"
#include "bertfast/piece_trie.h"

namespace bertfast {

// Immutable after construction; reading is thread-safe.
class WordsOfOne {
 public:
  WordsOfOne(const CharMap& map, const PieceTrie& trie, std::int32_t unk_id);

  // The id of the word that `code_point` always is; kNoId for those that are part of a
  // longer word, or may be, or are no letters, and for all outside [kFirst, kEnd).
  std::int32_t id(CodePoint code_point) const {
    const CodePoint index = code_point - kFirst;
    return index < kEnd - kFirst ? ids_[index] : kNoId;
  }

  // From the ideographs' own punctuation to the end of the plane. Below it, in scripts
  // that have spaces, a word and the mark beside it are better looked up together.
  static constexpr CodePoint kFirst = 0x3000;
  static constexpr CodePoint kEnd = 0x10000;

 private:
  std::vector<std::int32_t> ids_;
};

// Where the ids of such words wait while the text around them is encoded.
struct FoundWordsOfOne {
  const WordsOfOne& words;
  std::int32_t* next;
};

}  // namespace bertfast

#endif  // BERTFAST_WORDS_OF_ONE_H_
