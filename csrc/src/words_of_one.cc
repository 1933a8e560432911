#include "bertfast/words_of_one.h"

#include "bertfast/unicode.h"

namespace bertfast {
namespace {

// Whether what is before and after a character can be read apart. It cannot where
// final sigma looks beyond it for a letter.
bool parts_its_neighbours(CodePoint code_point, CharEntry entry,
                          const TextRules& rules) {
  if (entry.action() == Action::kCjk) return true;
  if (entry.action() != Action::kPunctuation) return false;
  const UnicodeRecord record = unicode_record(code_point);
  return !rules.do_lower_case || !(record.is_ignorable() || record.is_cased());
}

}  // namespace

WordsOfOne::WordsOfOne(const CharMap& map, const PieceTrie& trie, std::int32_t unk_id)
    : ids_(kEnd - kFirst, kNoId) {
  for (CodePoint code_point = kFirst; code_point < kEnd; ++code_point) {
    const CharEntry entry = map.entry(code_point);
    if (!parts_its_neighbours(code_point, entry, map.rules())) continue;
    const std::int32_t id = trie.word_of_one(entry.payload());
    ids_[code_point - kFirst] = id == kNoId ? unk_id : id;
  }
}

}  // namespace bertfast
