#include "bertfast/char_map.h"

#include <algorithm>
#include <unordered_map>

namespace bertfast {
namespace {

constexpr std::uint32_t kNoPage = 0xFFFFFFFF;

CharEntry pack_entry(Action action, std::uint32_t payload) {
  return {payload << 3 | static_cast<std::uint32_t>(action)};
}

// Whether canonical reordering can move `code_point` in what is left of a word.
bool sorts(CodePoint code_point) {
  const UnicodeRecord record = unicode_record(code_point);
  return record.combining_class() != 0 && !record.is_mark();
}

}  // namespace

Alphabet::Alphabet(const std::vector<std::vector<CodePoint>>& tokens) {
  std::unordered_map<CodePoint, std::size_t> counts;
  for (const auto& token : tokens) {
    for (const CodePoint code_point : token) ++counts[code_point];
  }
  std::vector<std::pair<std::size_t, CodePoint>> by_count;
  for (const auto& [code_point, count] : counts)
    by_count.emplace_back(count, code_point);
  std::sort(by_count.begin(), by_count.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  for (std::size_t i = 0; i < by_count.size(); ++i) {
    sorted_.push_back({by_count[i].second, static_cast<Symbol>(i + 1)});
  }
  std::sort(sorted_.begin(), sorted_.end(),
            [](const Entry& a, const Entry& b) { return a.code_point < b.code_point; });
}

Symbol Alphabet::symbol(CodePoint code_point) const {
  const auto found = std::lower_bound(
      sorted_.begin(), sorted_.end(), code_point,
      [](const Entry& entry, CodePoint wanted) { return entry.code_point < wanted; });
  if (found == sorted_.end() || found->code_point != code_point) return kUnknownSymbol;
  return found->symbol;
}

bool Alphabet::intersects(CodePoint first, CodePoint last) const {
  const auto found = std::lower_bound(
      sorted_.begin(), sorted_.end(), first,
      [](const Entry& entry, CodePoint wanted) { return entry.code_point < wanted; });
  return found != sorted_.end() && found->code_point <= last;
}

// Pages without a symbol of their own depend only on the Unicode page that they share.
// (A page whose characters all map to others is taken for one of these and shared as
// rightly: mappings are part of the record.)
CharMap::CharMap(const Alphabet& alphabet, const TextRules& rules)
    : rules_(rules), pages_(kPageCount) {
  std::vector<std::uint32_t> shared(unicode_distinct_page_count(), kNoPage);
  for (CodePoint page = 0; page < kPageCount; ++page) {
    const CodePoint first = page << kPageBits;
    const auto next_page = static_cast<std::uint32_t>(entries_.size() >> kPageBits);
    std::uint32_t& known = shared[unicode_distinct_page(page)];
    if (alphabet.intersects(first, first + kPageSize - 1)) {
      pages_[page] = next_page;
      append_page(alphabet, page);
    } else if (known != kNoPage) {
      pages_[page] = known;
    } else {
      known = pages_[page] = next_page;
      append_page(alphabet, page);
    }
  }
}

void CharMap::append_page(const Alphabet& alphabet, CodePoint page) {
  const CodePoint first = page << kPageBits;
  for (CodePoint code_point = first; code_point < first + kPageSize; ++code_point) {
    entries_.push_back(make_entry(alphabet, code_point));
  }
}

CharEntry CharMap::make_entry(const Alphabet& alphabet, CodePoint code_point) {
  const UnicodeRecord record = unicode_record(code_point);
  if (record.is_dropped()) return pack_entry(Action::kDrop, 0);
  if (record.is_space()) return pack_entry(Action::kSpace, 0);
  if (rules_.do_lower_case && code_point == kCapitalSigma)
    return pack_entry(Action::kContext, 0);
  return make_normal_entry(alphabet, code_point);
}

CharEntry CharMap::make_normal_entry(const Alphabet& alphabet, CodePoint code_point) {
  ExpandedSymbol kept[kMaxParts];
  std::uint32_t n = 0;
  for (const CodePoint part : NormalForm(code_point, rules_)) {
    if (rules_.strip_accents && sorts(part)) return pack_entry(Action::kContext, 0);
    const UnicodeRecord record = unicode_record(part);
    if (rules_.strip_accents && record.is_mark()) continue;
    kept[n++] = {alphabet.symbol(part), record.is_punctuation()};
  }
  if (n == 0) return pack_entry(Action::kDrop, 0);
  if (n == 1) {
    const bool is_cjk = unicode_record(code_point).is_cjk();
    if (is_cjk && rules_.tokenize_chinese_chars)
      return pack_entry(Action::kCjk, kept[0].symbol);
    return pack_entry(kept[0].is_punctuation ? Action::kPunctuation : Action::kLetter,
                      kept[0].symbol);
  }
  const auto start = static_cast<std::uint32_t>(expansions_.size());
  expansions_.insert(expansions_.end(), kept, kept + n);
  return pack_entry(Action::kExpand, start << 3 | n);
}

}  // namespace bertfast
