// The trie of a vocabulary against a map of its pieces.
//
// Input: size of the alphabet, then pieces ended by 0xFE, the first bit of each saying
// whether it continues a word; what follows the first empty piece is the word.
#include <map>
#include <utility>

#include "bertfast/piece_trie.h"
#include "fuzz.h"

namespace bertfast_fuzz {
namespace {

using bertfast::kNoId;
using bertfast::Piece;
using bertfast::PieceTrie;
using bertfast::Symbol;
using Symbols = std::vector<Symbol>;
using Pieces = std::map<std::pair<bool, Symbols>, std::int32_t>;

PieceTrie::Match slow_match(const Pieces& pieces, const Symbol* begin, std::size_t n,
                            bool is_continuation) {
  for (std::size_t length = n; length > 0; --length) {
    const auto found = pieces.find({is_continuation, Symbols(begin, begin + length)});
    if (found != pieces.end()) return {found->second, length};
  }
  return {kNoId, 0};
}

}  // namespace
}  // namespace bertfast_fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bertfast_fuzz;
  constexpr std::size_t kMaxPiece = 12;
  constexpr std::size_t kMaxWord = 40;
  Input input(data, size);
  const Symbol alphabet_size = 2 + input.byte() % 250;
  Pieces pieces;
  while (!input.empty()) {
    const std::string bytes = input.until(0xFE);
    if (bytes.empty()) break;
    Symbols symbols;
    for (std::size_t i = 1; i < bytes.size() && i <= kMaxPiece; ++i)
      symbols.push_back(1 + static_cast<std::uint8_t>(bytes[i]) % (alphabet_size - 1));
    const auto id = static_cast<std::int32_t>(pieces.size());
    if (!symbols.empty()) pieces.insert({{(bytes[0] & 1) != 0, symbols}, id});
  }
  std::vector<Piece> list;
  for (const auto& [key, id] : pieces)
    list.push_back({key.second.data(), key.second.size(), id, key.first});
  const PieceTrie trie(list, alphabet_size);
  Symbols word;
  while (!input.empty() && word.size() < kMaxWord)
    word.push_back(input.byte() % alphabet_size);
  for (std::size_t at = 0; at < word.size(); ++at) {
    for (const bool is_continuation : {false, true}) {
      const std::size_t n = std::min(kMaxPiece + 1, word.size() - at);
      const auto match = trie.longest_match(word.data() + at, n, is_continuation);
      const auto expected = slow_match(pieces, word.data() + at, n, is_continuation);
      REQUIRE(match.id == expected.id && match.length == expected.length);
    }
  }
  for (Symbol symbol = 1; symbol < alphabet_size; ++symbol) {
    const auto found = pieces.find({false, {symbol}});
    REQUIRE(trie.word_of_one(symbol) ==
            (found == pieces.end() ? kNoId : found->second));
  }
  return 0;
}
