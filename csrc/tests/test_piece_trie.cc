// PieceTrie against a map of whole pieces, on random vocabularies.
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "bertfast/piece_trie.h"
#include "check.h"

namespace {

using bertfast::kNoId;
using bertfast::Piece;
using bertfast::PieceTrie;
using bertfast::Symbol;
using Symbols = std::vector<Symbol>;
using Vocab = std::map<std::pair<bool, Symbols>, std::int32_t>;

Symbols random_symbols(std::mt19937* random, Symbol alphabet_size,
                       std::size_t longest) {
  Symbols symbols(1 + (*random)() % longest);
  for (Symbol& symbol : symbols) symbol = 1 + (*random)() % (alphabet_size - 1);
  return symbols;
}

PieceTrie::Match slow_match(const Vocab& vocab, const Symbols& word,
                            bool is_continuation) {
  for (std::size_t length = word.size(); length > 0; --length) {
    const auto found =
        vocab.find({is_continuation, Symbols(word.begin(), word.begin() + length)});
    if (found != vocab.end()) return {found->second, length};
  }
  return {kNoId, 0};
}

void test_random_vocabularies_match_as_a_map(Symbol alphabet_size,
                                             std::size_t n_pieces) {
  std::mt19937 random(alphabet_size);
  Vocab vocab;
  for (std::size_t i = 0; i < n_pieces; ++i) {
    vocab[{random() % 2 == 0, random_symbols(&random, alphabet_size, 6)}] =
        static_cast<int>(i);
  }
  std::vector<Piece> pieces;
  for (const auto& [key, id] : vocab)
    pieces.push_back({key.second.data(), key.second.size(), id, key.first});
  const PieceTrie trie(pieces, alphabet_size);
  for (int i = 0; i < 20000; ++i) {
    Symbols word = random_symbols(&random, alphabet_size, 9);
    if (i % 5 == 0) word[random() % word.size()] = bertfast::kUnknownSymbol;
    for (const bool is_continuation : {false, true}) {
      const auto match = trie.longest_match(word.data(), word.size(), is_continuation);
      const auto expected = slow_match(vocab, word, is_continuation);
      CHECK(match.id == expected.id && match.length == expected.length);
    }
  }
}

void test_empty_trie_matches_nothing() {
  const PieceTrie trie({}, 5);
  for (Symbol symbol = 0; symbol < 5; ++symbol) {
    CHECK(trie.longest_match(&symbol, 1, false).id == kNoId);
    CHECK(trie.longest_match(&symbol, 1, true).id == kNoId);
  }
}

}  // namespace

int main() {
  test_empty_trie_matches_nothing();
  test_random_vocabularies_match_as_a_map(2, 10);
  test_random_vocabularies_match_as_a_map(4, 300);
  test_random_vocabularies_match_as_a_map(30, 3000);
  test_random_vocabularies_match_as_a_map(9000, 30000);
  return bertfast_test::report("test_piece_trie");
}
