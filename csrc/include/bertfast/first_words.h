// What a new chunk cache begins with.
#ifndef BERTFAST_FIRST_WORDS_H_
#define BERTFAST_FIRST_WORDS_H_

#include "bertfast/char_map.h"
#include "bertfast/chunk_cache.h"
#include "bertfast/token_strings.h"

namespace bertfast {

// Puts the whole words of a vocabulary into `cache`: of those that a text holds, most
// come up sooner or later. Only tokens of letters that stay as they are, for which no
// encoding is needed: the ids of such a word are the token's. The first tokens of a
// vocabulary are the most frequent ones by custom: they come last and so displace the
// others. In lower-case mode words come as at the beginning of a sentence, too.
void remember_first_words(const TokenStrings& tokens, const Alphabet& alphabet,
                          const CharMap& map, ChunkCache* cache);

}  // namespace bertfast

#endif  // BERTFAST_FIRST_WORDS_H_
