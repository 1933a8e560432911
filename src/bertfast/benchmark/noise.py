"""Seeds of the tweet-like corpus: what people type when nobody proofreads."""

SENTENCES = (
    "cant believe its already friday lol",  # codespell:ignore cant
    "why is nobody talking about this",
    "just landed and the wifi is down again smh",
    "ok but who let the dogs out tho",
    "new video is up, link in bio",
    "that goal was unreal omg",
    "i need coffee like right now",
    "anyone else awake or is it just me",
    "u guys were amazing tonight thank u so much",
    "not gonna lie this is the best pizza in town",
    "my cat just knocked over the whole plant",
    "breaking: trains cancelled on all lines until noon",
    "happy birthday to the best mum in the world",
    "we're hiring! dm me if you know python or rust",
    "literally crying at the last episode rn",
    "traffic is so bad today, 2 hrs for 5 miles",
    "imagine paying 9.99 for that haha",
    "so proud of this team, what a season",
    "is it me or does monday come twice a week",
    "finally finished the book, no spoilers pls",
    "Weather: cloudy, 14C, wind 20 km/h",
    "they said it couldnt be done & here we are",  # codespell:ignore couldnt
    "GOOD MORNING everyone have a great day",
    "phone at 2% wish me luck",
    "idk what to wear tmrw help",
    "Thread on how we cut our build time in half (1/7)",
    "the audacity of this man i swear",
    "tickets go on sale at 10am, dont miss out",
)

EMOJI = (
    "😂", "😭", "❤️", "🔥", "😍", "🙏", "👍🏽", "✨", "🎉", "💀", "🤔", "👀", "💯", "😅", "🥺",
    "🙌🏾", "👩‍💻", "🇧🇷", "🇯🇵", "🏳️‍🌈", "👨‍👩‍👧", "1️⃣", "☀️", "♥", "⚽", "🚀", "🤷🏻‍♀️", "😎", "💪🏿",
    "🎂",
)  # fmt: skip

HASHTAGS = (
    "monday", "love", "throwback", "nofilter", "travel", "coffee", "matchday", "nowplaying",
    "winning", "job", "opensource", "catsoftwitter", "photooftheday", "breaking", "weather",
    "MondayMotivation",
)  # fmt: skip

SITES = ("t.co", "bit.ly", "example.com/news", "example.org/a", "youtu.be", "instagr.am/p")

ENDINGS = (
    "!!!",
    "...",
    "?!",
    "!!",
    "…",
    " :)",
    " :-D",
    " ;)",
    " <3",
    " xoxo",
    " ¯\\_(ツ)_/¯",
    "",
    "",
    "",
    "",
)
