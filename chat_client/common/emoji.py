"""Emojis by the names that people type: `:thumbsup:`."""

_ALL = {
    "+1": "👍", "-1": "👎", "100": "💯", "alarm": "⏰", "angry": "😠", "bangbang": "‼️", "beer": "🍺", "bell": "🔔",
    "birthday": "🎂", "blush": "😊", "bomb": "💣", "books": "📚", "boom": "💥", "broken_heart": "💔", "bug": "🐛",
    "bulb": "💡", "cake": "🍰", "calendar": "📅", "camera": "📷", "cat": "🐱", "chart": "📈", "check": "✅",
    "clap": "👏", "cloud": "☁️", "coffee": "☕", "computer": "💻", "confused": "😕", "construction": "🚧", "cool": "😎",
    "cross": "❌", "cry": "😢", "dog": "🐶", "email": "📧", "exclamation": "❗", "eyes": "👀", "facepalm": "🤦",
    "fire": "🔥", "flag": "🏁", "floppy": "💾", "gear": "⚙️", "gift": "🎁", "globe": "🌍", "grin": "😁", "grimace": "😬",
    "hammer": "🔨", "handshake": "🤝", "heart": "❤️", "heart_eyes": "😍", "hourglass": "⏳", "house": "🏠", "hug": "🤗",
    "innocent": "😇", "joy": "😂", "key": "🔑", "kiss": "😘", "laughing": "😆", "link": "🔗", "lock": "🔒", "mag": "🔍",
    "mega": "📣", "memo": "📝", "money": "💰", "moon": "🌙", "muscle": "💪", "musical_note": "🎵", "neutral": "😐",
    "no_entry": "⛔", "ok": "👌", "open_mouth": "😮", "package": "📦", "partying": "🥳", "pencil": "✏️", "phone": "📞",
    "pin": "📌", "pizza": "🍕", "pray": "🙏", "question": "❓", "rainbow": "🌈", "recycle": "♻️", "robot": "🤖",
    "rocket": "🚀", "rofl": "🤣", "rose": "🌹", "sad": "🙁", "scissors": "✂️", "scream": "😱", "seedling": "🌱",
    "shrug": "🤷", "sleeping": "😴", "smile": "😄", "smirk": "😏", "snail": "🐌", "snowflake": "❄️", "sob": "😭",
    "sparkles": "✨", "star": "⭐", "stop": "🛑", "sun": "☀️", "sweat_smile": "😅", "tada": "🎉", "tea": "🍵",
    "thinking": "🤔", "thumbsdown": "👎", "thumbsup": "👍", "trophy": "🏆", "umbrella": "☔", "unlock": "🔓",
    "upside_down": "🙃", "v": "✌️", "warning": "⚠️", "wave": "👋", "wink": "😉", "wrench": "🔧", "zap": "⚡", "zzz": "💤",
}  # fmt: skip
# What people use most stands first in a list.
_FIRST = ("thumbsup", "heart", "joy", "tada", "eyes", "pray", "fire", "rocket", "check", "clap", "thinking", "wave",
          "smile", "sob", "100", "ok", "thumbsdown")  # fmt: skip
EMOJIS = {name: _ALL[name] for name in dict.fromkeys((*_FIRST, *_ALL))}


def emoji_of(word: str) -> str:
    """The emoji of a name, with or without its colons; anything else is what it is, like `+1` and `:)`."""
    name = word.strip(":")
    return EMOJIS[name] if name in EMOJIS and (name != word or any(map(str.isalpha, name))) else word
