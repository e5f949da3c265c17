"""Tests of the conformance suite that do not hold for a node of a cluster, and why; they are skipped there."""

_OFFLINE = "a node's data is changed over the running node alone"
_SHARED = "the settings are the cluster's, and a node's own options no longer count"
_CLOCK = "the time is that of NATS, and neither the node's clock nor a stop of the node moves it"
_PUBLISHED = "what was published may be executed by the others: it is unknown whether it was done, or it is waited for"
_BACKUP = "a lone server's backup goes into a cluster by an import, and a node's goes nowhere but into a lone server"
_SAYS_MORE = "the node has told of its connection to NATS before"
_AT_ONCE = "several servers are started in one place at once, and would each start their NATS server there"
_CACHE = "files/ is a cache of what NATS has: what is damaged or missing is fetched again, and what no file has goes"
_LONE = "this is a lone server's"

# By the beginnings of their names.
REASONS = {
    "test_unban[without one]": _OFFLINE,
    "test_operator[without one]": _OFFLINE,
    "test_password[without one]": _OFFLINE,
    "test_forget[without one]": _OFFLINE,
    "test_settings[": _OFFLINE,
    "test_whoever_runs_the_server_may_do_it_too": _OFFLINE,
    "test_another_program_that_holds_the_database_is_one_line": _OFFLINE,
    "test_sighup_before_it_listens_waits_until_then": _OFFLINE,
    "test_codes_without_a_server_and_over_a_restart": _OFFLINE,
    "test_named_by_the_settings_as_long_as_they_name": _SHARED,
    "test_closed": _SHARED,
    "test_what_can_change_changes_and_the_rest_is_said": _SHARED,
    "test_data_that_was_changed_waits_for_a_restart_and_the_rest_is_taken": _SHARED,
    "test_wrong_settings_change_nothing_and_are_one_line": _SHARED,
    "test_a_start_waits_for_the_lock_and_keeps_its_settings": _SHARED,
    "test_a_ban_that_ends_while_the_server_is_down": _CLOCK,
    "test_a_step_while_it_runs_changes_nothing_but_what_is_shown": _CLOCK,
    "test_a_clock_that_was_wrong_and_is_right_after_a_restart": _CLOCK,
    "test_a_step_right_before_a_stop": _CLOCK,
    "test_delays_go_by_their_own_clock_each": _CLOCK,
    "test_what_lies_in_the_future_is_found_and_mended": _CLOCK,
    "test_a_stop_does_not_wait_for_the_lock": _PUBLISHED,
    "test_whether_a_command_with_a_key_was_done_is_said_by_its_first_try": _PUBLISHED,
    "test_what_the_disk_did_not_take_is_refused_and_the_server_goes_on": _PUBLISHED,
    "test_what_has_no_room_is_refused_and_all_else_goes_on": _PUBLISHED,
    "test_while_people_chat": _BACKUP,
    "test_a_restored_chat_is_the_same_but_for_its_history": _BACKUP,
    "test_restore_refuses_what_it_must": _BACKUP,
    "test_an_interrupted_restore_is_noticed_at_the_start": _BACKUP,
    "test_who_only_reads_leaves_an_older_database_as_it_is": _BACKUP,
    "test_another_chats_database_deletes_nothing": _BACKUP,
    "test_a_wrong_option_is_status_2": _AT_ONCE,
    "test_a_wrong_file_is_status_2": _AT_ONCE,
    "test_a_file_whose_bytes_are_not_what_they_were": _CACHE,
    "test_damaged_bytes_are_not_sent_and_can_be_mended": _CACHE,
    "test_what_no_row_tells_of_stays": _CACHE,
    "test_without_a_server_there_is_nothing_to_reload": _OFFLINE,
    "test_a_lone_server_has_no_metric_of_a_cluster": _LONE,
    "test_a_newer_database": _SAYS_MORE,
    "test_a_file_that_is_no_database": _SAYS_MORE,
    "test_a_database_of_another_program": _SAYS_MORE,
}


def reason_of(name: str) -> str:
    """Why a test does not hold; "" for those that do."""
    return next((reason for beginning, reason in REASONS.items() if name.startswith(beginning)), "")
