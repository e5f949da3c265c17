"""The administrator's commands, from the control socket: operators, accounts, exports, the audit log."""

from chat_server import shared_settings
from chat_server.errors import Refusal
from chat_server.log.entries import Mark
from chat_server.log.versions import version_needed
from chat_server.protocol.control import (
    AccountForgotten,
    Acts,
    Appoint,
    Audit,
    AuditedAct,
    Backup,
    ChangeSettings,
    ClusterVerified,
    Dismiss,
    Export,
    Exported,
    FilesKept,
    Forget,
    ListOperators,
    Operator,
    OperatorList,
    OperatorSet,
    Record,
    Reload,
    Reloaded,
    RepairTime,
    SetPasswordOf,
    SettingsChanged,
    SettingsShown,
    ShowSettings,
    TimeRepaired,
    UserPasswordSet,
    Verify,
)
from chat_server.protocol.times import iso
from chat_server.rules.accounts import configure, remove_account
from chat_server.rules.context import Context, View
from chat_server.rules.lookup import find_user, unknown_user_refusal
from chat_server.rules.operators import record
from chat_server.rules.outcomes import Answer
from chat_server.rules.registry import reading, rule
from chat_server.store import accounts, export, messages, operators, wrong_passwords

ACTS_PAGE_MAX = 200
_ERASED = "nobody is shown them; they leave the disks of all nodes within 10 s, and those of NATS within 30 minutes"


@rule(Appoint)
def appoint(context: Context, command: Appoint) -> OperatorSet:
    user = find_user(context.db, command.username.name, command.username.folded, context.user_id)
    if user.password is None:
        raise Refusal(
            "password_required",
            f"an operator must have a password; {user.name} has none: chat-server password {user.name}",
        )
    operators.add(context.db, command.username.folded, user.name)
    record(context, "operator add", user.name)
    return OperatorSet(user.name, True)


@rule(Dismiss)
def dismiss(context: Context, command: Dismiss) -> OperatorSet:
    user = find_user(context.db, command.username.name, command.username.folded, context.user_id)
    if operators.is_configured(context.db, command.username.folded):
        raise Refusal(
            "forbidden",
            f"{user.name} is an operator by the settings (--operator); take the name out there, then reload or restart",
        )
    if not operators.is_named(context.db, user.id):
        raise Refusal("bad_argument", f"{user.name} is no operator; chat-server operator list shows them")
    operators.remove(context.db, command.username.folded)
    record(context, "operator remove", user.name)
    return OperatorSet(user.name, False)


@rule(SetPasswordOf)
def set_password_of(context: Context, command: SetPasswordOf) -> UserPasswordSet:
    user = find_user(context.db, command.username.name, command.username.folded, context.user_id)
    accounts.set_password(context.db, user.id, command.hash)
    accounts.delete_tokens(context.db, user.id)
    wrong_passwords.delete_all(context.db, user.id)
    context.hang_up(user.id, "signed_out", "the password was changed; sign in with the new one")
    record(context, "password", user.name)
    return UserPasswordSet(user.name)


@rule(Forget)
def forget(context: Context, command: Forget) -> AccountForgotten:
    user = find_user(context.db, command.username.name, command.username.folded, context.user_id)
    remove_account(context, user)
    record(context, "forget", user.name)
    return AccountForgotten(user.name, _ERASED if context.state.position.stream else None)


@rule(RepairTime)
def repair_time(context: Context, command: RepairTime) -> TimeRepaired:
    dated = messages.clamp_future_times(context.db, context.at_ms, context.elapsed_ms)
    seen = accounts.clamp_future_times(context.db, context.at_ms)
    record(context, "repair-time", why=f"{dated} messages, {seen} accounts" if dated or seen else None)
    return TimeRepaired(dated, seen)


@rule(ChangeSettings)
def change_settings(context: Context, command: ChangeSettings) -> SettingsChanged:
    """Change settings for all nodes. A lone server has its own options, which the next start would log again."""
    if not context.state.position.stream:
        why = "this server is no node of a cluster: its own options hold, those of its next start from then on"
        raise Refusal("bad_argument", why)
    words = command.changes.split()
    if len(words) % 2:
        raise Refusal("bad_argument", "name options and their values in turn, such as: main-rate-limit 50/1h page 30")
    asked = dict(zip(words[::2], words[1::2], strict=True))
    before = shared_settings.words_of(context.limits, operators.configured_names(context.db))
    limits, names = shared_settings.changed(context.limits, asked)
    if version_needed(limits) > context.version:
        # The code is that of nodes that do not know it at all.
        raise Refusal("bad_argument", "not all servers of this chat know this setting yet: upgrade them first")
    configure(context, limits, names)
    now = shared_settings.words_of(context.limits, operators.configured_names(context.db))
    done = {option: now[option] for option in asked if now[option] != before[option]}
    if done:
        record(context, "cluster settings", why=", ".join(f"{each} {before[each]} -> {done[each]}" for each in done))
    note = None
    if "allow-passwordless" in done and limits.passwordless:
        note = "from now on a node that listens beyond loopback starts only with --allow-passwordless"
    return SettingsChanged(done, {option: before[option] for option in done}, note)


@rule(Mark)
def mark(context: Context, command: Mark) -> None:
    """Change nothing: nodes compare their tables as of here."""


# ---- reading


@reading(ShowSettings)
def show_settings(view: View, command: ShowSettings) -> SettingsShown:
    return SettingsShown(shared_settings.words_of(view.limits, operators.configured_names(view.db)))


@reading(ListOperators)
def list_operators(view: View, command: ListOperators) -> OperatorList:
    def operator(each: operators.NamedOperator) -> Operator:
        note = None if each.has_password else "has no password yet: may do nothing"
        if not each.has_account:
            note = "has no account yet: whoever registers the name is the operator"
        return Operator(each.name, "the settings" if each.by_option else "the command", note)

    return OperatorList([operator(each) for each in operators.list_named(view.db)])


@reading(Export)
def export_user(view: View, command: Export) -> Answer:
    user = accounts.by_name(view.db, command.username.folded)
    if user is None:
        raise unknown_user_refusal(command.username.name)
    count = 0
    for page in export.of_user(view.db, user.id, view.now.wall_ms):
        count += len(page)
        yield [Record(kind, fields) for kind, fields in page]
    return Exported(user.name, count)


@reading(Backup)
def backup(view: View, command: Backup) -> FilesKept:
    """Reply at once. `ControlConnection`, which has the files, sees to it that they stay."""
    return FilesKept()


@reading(Verify)
def verify(view: View, command: Verify) -> ClusterVerified:
    """Refuse. A `ControlConnection` of a node of a cluster, which has the other nodes, answers instead."""
    raise Refusal("bad_argument", "no node of a cluster runs here; chat-server verify checks its database alone")


@reading(Reload)
def reload(view: View, command: Reload) -> Reloaded:
    """Refuse. The running server, which has the settings, answers instead."""
    raise Refusal("bad_argument", "no server runs here; one reads its settings when it starts")


@reading(Audit)
def audit(view: View, command: Audit) -> Answer:
    after, count = command.after or 0, 0
    while page := operators.list_acts(view.db, after, ACTS_PAGE_MAX):
        after, count = page[-1].id, count + len(page)
        yield [AuditedAct(each.id, iso(each.at_ms), each.who, each.act, each.whom, each.why) for each in page]
    return Acts(count)
