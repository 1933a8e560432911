// The trie of a vocabulary against a list of its pieces.
//
// Input: size of the alphabet, then pieces ended by 0xFE, the first bit of each saying
// whether it continues a word; what follows the first empty piece is the word.
#include <set>
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

PieceTrie::Match slow_match(const std::vector<Piece>& pieces, const Symbol* begin,
                            std::size_t n, bool is_continuation) {
  PieceTrie::Match longest{kNoId, 0};
  for (const Piece& piece : pieces) {
    if (piece.is_continuation != is_continuation || piece.length > n) continue;
    if (piece.length > longest.length &&
        std::equal(piece.symbols, piece.symbols + piece.length, begin))
      longest = {piece.id, piece.length};
  }
  return longest;
}

void check_words_of_one(const std::vector<Piece>& pieces, Symbol alphabet_size,
                        const PieceTrie& trie) {
  std::vector<std::int32_t> expected(alphabet_size, kNoId);
  for (const Piece& piece : pieces) {
    if (piece.length == 1 && !piece.is_continuation)
      expected[piece.symbols[0]] = piece.id;
  }
  for (Symbol symbol = 1; symbol < alphabet_size; ++symbol)
    REQUIRE(trie.word_of_one(symbol) == expected[symbol]);
}

}  // namespace
}  // namespace bertfast_fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bertfast_fuzz;
  constexpr std::size_t kMaxPiece = 12;
  constexpr std::size_t kMaxWord = 40;
  Input input(data, size);
  const Symbol alphabet_size = 2 + input.byte() % 250;
  std::vector<Piece> pieces;
  std::set<std::pair<bool, Symbols>> seen;
  while (!input.empty()) {
    const std::string bytes = input.until(0xFE);
    if (bytes.empty()) break;
    Symbols symbols;
    for (std::size_t i = 1; i < bytes.size() && i <= kMaxPiece; ++i)
      symbols.push_back(1 + static_cast<std::uint8_t>(bytes[i]) % (alphabet_size - 1));
    const auto id = static_cast<std::int32_t>(pieces.size());
    const bool is_continuation = (bytes[0] & 1) != 0;
    if (symbols.empty()) continue;
    const auto [place, is_new] = seen.insert({is_continuation, symbols});
    const Symbols& kept = place->second;  // where it is, it stays
    if (is_new) pieces.push_back({kept.data(), kept.size(), id, is_continuation});
  }
  const PieceTrie trie(pieces, alphabet_size);
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
  check_words_of_one(pieces, alphabet_size, trie);
  return 0;
}
