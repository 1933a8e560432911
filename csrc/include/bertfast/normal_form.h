// The switches of the original's BasicTokenizer, and what they make of one code point.
#ifndef BERTFAST_NORMAL_FORM_H_
#define BERTFAST_NORMAL_FORM_H_

#include "bertfast/unicode.h"

namespace bertfast {

// The original knows two settings: everything, and tokenize_chinese_chars alone.
struct TextRules {
  bool do_lower_case;
  bool strip_accents;           // decompose (NFD) and drop nonspacing marks
  bool tokenize_chinese_chars;  // CJK ideographs are words of their own
};

// Code points that one can become; the generator of the tables refuses more.
constexpr int kMaxParts = 4;

// A code point by itself after lowering and decomposition, marks kept: at least one
// code point. Capital sigma gives the small sigma, never the final one.
class NormalForm {
 public:
  NormalForm(CodePoint code_point, const TextRules& rules) {
    const CodePoints lowered = unicode_lower(unicode_record(code_point));
    if (!rules.do_lower_case || lowered.empty()) {
      decompose(code_point, rules);
    } else {
      for (const CodePoint part : lowered) decompose(part, rules);
    }
  }

  const CodePoint* begin() const { return parts_; }
  const CodePoint* end() const { return parts_ + size_; }

 private:
  void decompose(CodePoint code_point, const TextRules& rules) {
    const CodePoints decomposed = unicode_decomposition(unicode_record(code_point));
    if (!rules.strip_accents || decomposed.empty()) {
      parts_[size_++] = code_point;
    } else {
      for (const CodePoint part : decomposed) parts_[size_++] = part;
    }
  }

  int size_ = 0;
  CodePoint parts_[kMaxParts];
};

}  // namespace bertfast

#endif  // BERTFAST_NORMAL_FORM_H_
