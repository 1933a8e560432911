#include "bertfast/char_map.h"

#include <algorithm>

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

Alphabet::Alphabet(const TokenStrings& tokens)
    : pages_(kPageCount, 0), symbols_(kPageSize, kUnknownSymbol) {
  struct Counted {
    Symbol count;
    CodePoint code_point;
  };
  for (const CodePoint code_point : tokens.code_points()) ++*place(code_point);
  std::vector<Counted> by_count;
  for (CodePoint page = 0; page < kPageCount; ++page) {
    if (!has_page(page)) continue;
    for (CodePoint at = page << kPageBits; at < (page + 1) << kPageBits; ++at) {
      if (symbol(at) != 0) by_count.push_back({symbol(at), at});
    }
  }
  std::sort(by_count.begin(), by_count.end(), [](const Counted& a, const Counted& b) {
    return a.count != b.count ? a.count > b.count : a.code_point < b.code_point;
  });
  for (const Counted& counted : by_count) *place(counted.code_point) = size_++;
}

// Where the symbol of `code_point` is, on a page of its own if need be.
Symbol* Alphabet::place(CodePoint code_point) {
  std::uint32_t& page = pages_[code_point >> kPageBits];
  if (page == 0) {
    page = static_cast<std::uint32_t>(symbols_.size() >> kPageBits);
    symbols_.resize(symbols_.size() + kPageSize, kUnknownSymbol);
  }
  return &symbols_[page << kPageBits | (code_point & (kPageSize - 1))];
}

// Pages without a symbol of their own depend only on the Unicode page that they share.
// (A page whose characters all map to others is taken for one of these and shared as
// rightly: mappings are part of the record.)
CharMap::CharMap(const Alphabet& alphabet, const TextRules& rules)
    : rules_(rules), pages_(kPageCount) {
  std::vector<std::uint32_t> shared(unicode_distinct_page_count(), kNoPage);
  for (CodePoint page = 0; page < kPageCount; ++page) {
    const auto next_page = static_cast<std::uint32_t>(entries_.size() >> kPageBits);
    std::uint32_t& known = shared[unicode_distinct_page(page)];
    if (alphabet.has_page(page)) {
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
