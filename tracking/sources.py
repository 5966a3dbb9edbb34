"""Table of known sources of visits: host names, app packages, brands and click parameters.

Data only; `tracking.channels` reads it. Adding a source is one line here.
"""

import enum
from typing import Final, NamedTuple


class Channel(enum.StrEnum):
    """The channels of reports; their values are what is stored and shown."""

    DIRECT = "Direct"
    ORGANIC_SEARCH = "Organic search"
    PAID_SEARCH = "Paid search"
    ORGANIC_SOCIAL = "Organic social"
    PAID_SOCIAL = "Paid social"
    ORGANIC_VIDEO = "Organic video"
    E_MAIL = "E-mail"
    REFERRAL = "Referral"
    AI_ASSISTANTS = "AI assistants"
    DISPLAY = "Display"
    AFFILIATES = "Affiliates"
    MESSAGES = "Messages"
    """SMS and push notifications."""
    PAID_OTHER = "Paid other"
    OTHER_CAMPAIGNS = "Other campaigns"
    """A campaign whose medium is none of the above, such as a QR code on a poster."""


class Medium(enum.Enum):
    """What kind of place a source is."""

    SEARCH = enum.auto()
    SOCIAL = enum.auto()
    VIDEO = enum.auto()
    MAIL = enum.auto()
    ASSISTANT = enum.auto()
    SITE = enum.auto()


class Source(NamedTuple):
    """A source's clean name and its kind."""

    name: str
    medium: Medium


_TABLE: Final = {
    Medium.SEARCH: """
        Google: com.google.android.googlequicksearchbox googleadservices.com
            syndicatedsearch.goog googlesyndication.com adwords
        Bing: bing.com cn.bing.com
        DuckDuckGo: duckduckgo.com com.duckduckgo.mobile.android ddg.gg
        Yahoo: com.yahoo.mobile.client.android.search
        Ecosia: ecosia.org com.ecosia.android
        Startpage: startpage.com
        Brave Search: search.brave.com
        Qwant: qwant.com
        Kagi: kagi.com
        Mojeek: mojeek.com mojeek.co.uk
        Swisscows: swisscows.com
        Baidu: baidu.com m.baidu.com
        Yandex: ya.ru
        Naver: naver.com search.naver.com m.search.naver.com
        Daum: daum.net search.daum.net
        Seznam: seznam.cz search.seznam.cz
        Sogou: sogou.com
        360 Search: so.com
        AOL: aol.com search.aol.com search.aol.co.uk aol.co.uk
        Ask: ask.com uk.ask.com
        Lycos: lycos.com search.lycos.com
        Dogpile: dogpile.com
        MetaGer: metager.org metager.de
        T-Online: suche.t-online.de
        Web.de Suche: suche.web.de
        GMX Suche: suche.gmx.net
        Coc Coc: coccoc.com
        Petal Search: petalsearch.com
        Presearch: presearch.com presearch.org
        Virgin Media: search.virginmedia.com
        Sky Search: search.sky.com
        Marginalia: marginalia-search.com search.marginalia.nu
    """,
    Medium.SOCIAL: """
        Facebook: facebook.com fb.com fb.me fb com.facebook.katana com.facebook.lite meta an
        Messenger: messenger.com com.facebook.orca
        Instagram: instagram.com ig ig.me com.instagram.android
        Threads: threads.net threads.com com.instagram.barcelona
        X: twitter.com x.com t.co com.twitter.android twitter
        LinkedIn: linkedin.com lnkd.in com.linkedin.android
        Reddit: reddit.com redd.it com.reddit.frontpage
        Pinterest: pin.it com.pinterest
        TikTok: tiktok.com com.zhiliaoapp.musically com.ss.android.ugc.trill
        Snapchat: snapchat.com com.snapchat.android
        Bluesky: bsky.app go.bsky.app bsky xyz.blueskyweb.app
        Mastodon: mastodon.social mastodon.online mastodon.uk mastodon.world mstdn.social
            fosstodon.org hachyderm.io org.joinmastodon.android
        WhatsApp: whatsapp.com wa.me com.whatsapp com.whatsapp.w4b
        Telegram: telegram.org t.me telegram.me org.telegram.messenger
        Discord: discord.com discordapp.com com.discord
        Tumblr: tumblr.com t.umblr.com com.tumblr
        Quora: quora.com com.quora.android
        Nextdoor: nextdoor.com nextdoor.co.uk com.nextdoor
        VK: vk.com vkontakte.ru com.vkontakte.android
        Odnoklassniki: ok.ru
        Weibo: weibo.com weibo.cn t.cn
        WeChat: weixin.qq.com com.tencent.mm
        Xing: xing.com
        Hacker News: news.ycombinator.com hckrnews.com
        Lobsters: lobste.rs
        Mumsnet: mumsnet.com
        Slack: com.slack slack.com app.slack.com
        Microsoft Teams: teams.microsoft.com statics.teams.cdn.office.net com.microsoft.teams
        Flipboard: flipboard.com flipboard.app
        Disqus: disqus.com
        Meetup: meetup.com
        Lemmy: lemmy.world lemmy.ml feddit.uk
        Line: line.me
        Viber: viber.com com.viber.voip
        Stack Overflow: stackoverflow.com
    """,
    Medium.VIDEO: """
        YouTube: youtube.com youtu.be youtube-nocookie.com com.google.android.youtube yt
        Vimeo: vimeo.com player.vimeo.com
        Twitch: twitch.tv tv.twitch.android.app
        Dailymotion: dailymotion.com
        Bilibili: bilibili.com
        Rumble: rumble.com
    """,
    Medium.MAIL: """
        Gmail: mail.google.com com.google.android.gm gmail.com
        Outlook: outlook.com outlook.live.com outlook.office.com outlook.office365.com mail.live.com
            hotmail.com com.microsoft.office.outlook
            safelinks.protection.outlook.com
        Yahoo Mail: mail.yahoo.com com.yahoo.mobile.client.android.mail
        Proton Mail: mail.proton.me ch.protonmail.android
        Fastmail: fastmail.com app.fastmail.com
        AOL Mail: mail.aol.com
        iCloud Mail: icloud.com
        Zoho Mail: mail.zoho.com mail.zoho.eu
        GMX: gmx.net gmx.com gmx.de navigator.gmx.net
        Web.de: web.de navigator.web.de
        Orange Mail: mail.orange.fr messagerie.orange.fr
        BT Mail: btmail.bt.com
        Mail.ru: e.mail.ru
        Mailchimp: mailchimp.com campaign-archive.com mailchi.mp list-manage.com
        Klaviyo: klaviyo.com
        Brevo: brevo.com sendinblue
        HubSpot: hs_email
        Newsletter: newsletter
        E-mail: email e-mail mail
        Substack: substack.com
    """,
    Medium.ASSISTANT: """
        ChatGPT: chatgpt.com chat.openai.com openai.com openai com.openai.chatgpt
        Perplexity: perplexity.ai perplexity ai.perplexity.app.android
        Claude: claude.ai claude.com com.anthropic.claude anthropic
        Gemini: gemini.google.com bard.google.com aistudio.google.com
            com.google.android.apps.bard
        Copilot: copilot.microsoft.com copilot.com m365.cloud.microsoft edgeservices.bing.com
            copilot.cloud.microsoft com.microsoft.copilot
        Grok: grok.com ai.x.grok
        DeepSeek: deepseek.com chat.deepseek.com com.deepseek.chat
        Mistral: chat.mistral.ai mistral.ai ai.mistral.chat
        Meta AI: meta.ai
        Poe: poe.com
        You.com: you.com
        Phind: phind.com
        Kimi: kimi.com kimi.moonshot.cn
        Qwen: chat.qwen.ai qwen.ai
        Doubao: doubao.com
        Duck.ai: duck.ai
        HuggingChat: huggingface.co
        Character.AI: character.ai
        iAsk: iask.ai
        Andi: andisearch.com
        Pi: pi.ai
    """,
    Medium.SITE: """
        Google News: news.google.com com.google.android.apps.magazines
        Google Docs: docs.google.com
        Google Translate: translate.google.com
        Google Play: play.google.com com.android.vending
        Google Discover: discover.google.com
        Wikipedia: wikipedia.org
        GitHub: github.com
        Medium: medium.com
        Product Hunt: producthunt.com producthunt
        Trustpilot: trustpilot.com
        Tripadvisor: tripadvisor.com tripadvisor.co.uk
        Yelp: yelp.com yelp.co.uk
        Feedly: feedly.com
        Apple News: apple.news
        Eventbrite: eventbrite.com eventbrite.co.uk
    """,
}


def _read_table() -> dict[str, Source]:
    """Source by host name, app package or campaign name, all lower case; also by clean name."""
    found: dict[str, Source] = {}
    for medium, text in _TABLE.items():
        source = None
        for line in text.strip().splitlines():
            name, colon, keys = line.strip().rpartition(": ")
            if colon:
                source = Source(name, medium)
                found.setdefault(name.lower(), source)
            if source is not None:
                found.update(dict.fromkeys(keys.split(), source))
    return found


SOURCES: Final = _read_table()

BRANDS: Final = {
    "google": Source("Google", Medium.SEARCH),
    "bing": Source("Bing", Medium.SEARCH),
    "yahoo": Source("Yahoo", Medium.SEARCH),
    "yandex": Source("Yandex", Medium.SEARCH),
    "ecosia": Source("Ecosia", Medium.SEARCH),
    "pinterest": Source("Pinterest", Medium.SOCIAL),
}
"""Brands with a domain in many countries (google.co.uk, yandex.com.tr, pinterest.de)."""

BRAND_SEARCH_HOSTS: Final = frozenset(
    "www m images image encrypted maps cse search r.search uk.search de.search fr.search es.search"  # noqa: SIM905 - reads better as words
    " it.search ca.search au.search in.search br.search lens shopping".split()
)
"""What may stand before a search engine's domain; its other hosts are sites of their own."""


class Click(NamedTuple):
    """What a click parameter in the landing page's URL tells."""

    source: Source
    paid: bool
    channel: Channel | None = None
    """Set where the parameter tells more than that it was paid for."""


CLICKS: Final = {
    "gclid": Click(BRANDS["google"], True),
    "gbraid": Click(BRANDS["google"], True),
    "wbraid": Click(BRANDS["google"], True),
    "gad_source": Click(BRANDS["google"], True),
    "dclid": Click(BRANDS["google"], True, Channel.DISPLAY),
    "srsltid": Click(BRANDS["google"], False),
    "msclkid": Click(BRANDS["bing"], True),
    "yclid": Click(BRANDS["yandex"], True),
    # Facebook adds fbclid to every link out of it, paid or not, so it names the source only;
    # its advertisements are known by utm_medium.
    "fbclid": Click(SOURCES["facebook"], False),
    "igshid": Click(SOURCES["instagram"], False),
    "igsh": Click(SOURCES["instagram"], False),
    "ttclid": Click(SOURCES["tiktok"], True),
    "twclid": Click(SOURCES["x"], True),
    "li_fat_id": Click(SOURCES["linkedin"], True),
    "epik": Click(BRANDS["pinterest"], True),
    "rdt_cid": Click(SOURCES["reddit"], True),
    "sccid": Click(SOURCES["snapchat"], True),
    "mc_cid": Click(SOURCES["mailchimp"], False),
    "mc_eid": Click(SOURCES["mailchimp"], False),
    "_hsenc": Click(SOURCES["hubspot"], False),
}
"""By parameter name in lower case."""
