// proactor_contract.hpp - the checks of which check_proactor_contract() is made: ProactorContract.
//
// SPDX-License-Identifier: MIT
#pragma once

#include <asyncio/testing/contracts.hpp>

#include "findings.hpp"
#include "proactor_driver.hpp"

#include <concepts>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace asyncio::testing {

class ProactorContract;

/// Tries one thing on a proactor of its own.
struct ProactorCheck {
    std::string_view name;  ///< a sentence about proactors
    void (ProactorContract::*check)();
};

/// One check's proactor, and what it is checked with.
class ProactorContract : private Driver {
public:
    ProactorContract(ProactorMaker make, Findings& findings)
        : Driver(make()), make_(make), findings_(findings) {}

    [[nodiscard]] static std::span<const ProactorCheck> checks_of_completion() noexcept;
    void completes_a_receive_when_data_arrives();
    void completes_a_receive_of_what_is_there_already();
    void completes_exactly_once();
    void starts_an_operation_again_that_has_completed();
    void marks_what_is_inside_and_what_is_complete();
    void completes_in_the_order_of_the_starts_on_one_descriptor();
    void lets_no_later_operation_overtake_a_waiting_one();
    void waits_for_both_directions_of_one_descriptor();
    void completes_a_receive_of_nothing_at_once();
    void reports_the_end_again_and_again();
    void delivers_all_data_before_the_end();
    void notices_the_end_that_comes_after_a_short_read();
    void notices_the_end_that_comes_with_the_data();
    void goes_on_in_one_direction_when_the_other_has_ended();
    void sends_to_a_peer_that_has_half_closed();
    void reports_a_reset_to_the_one_that_waits();
    void reports_a_reset_to_a_sender_that_waits();
    void sends_to_a_closed_peer_without_a_signal();
    void leaves_the_signal_mask_alone_when_a_pipe_breaks();

    [[nodiscard]] static std::span<const ProactorCheck> checks_of_amounts() noexcept;
    void sends_more_than_the_kernel_takes_at_once();
    void receives_what_is_longer_than_the_buffer_in_parts();
    void sends_many_buffers_as_one();
    void sends_as_many_buffers_as_the_kernel_takes();
    void fills_up_with_buffers_and_goes_on();
    void receives_every_datagram();
    void receives_messages_with_what_belongs_to_them();
    void passes_descriptors_with_messages_which_are_closed_in_new_programs();
    void calls_messages_without_waiting();
    void receives_every_datagram_of_a_connected_socket();
    void receives_what_lies_behind_a_descriptor_in_a_unix_stream();
    void receives_what_lies_behind_urgent_data();
    void reads_every_line_of_a_terminal();
    void reads_and_writes_pipes();

    [[nodiscard]] static std::span<const ProactorCheck> checks_of_connections() noexcept;
    void accepts_every_connection_of_one_event();
    void accepts_without_asking_for_the_address();
    void accepts_again_after_it_has_run_out_of_descriptors();
    void survives_a_connection_that_is_reset_before_it_is_accepted();
    void connects();
    void reports_a_refused_connection();
    void reports_that_there_is_no_such_unix_socket();
    void cancels_a_connect_that_is_under_way();
    void cancels_what_is_still_pending();
    void cancels_what_waits_and_loses_no_data();
    void leaves_alone_what_has_completed();
    void cancels_twice_as_once();
    void cancels_one_of_many_that_wait_in_line();
    void starts_again_what_was_cancelled();
    void aborts_everything_at_once();

    [[nodiscard]] static std::span<const ProactorCheck> checks_of_readiness() noexcept;
    void reports_readiness_for_as_long_as_there_is_something_to_read();
    void reports_that_something_is_left_after_a_receive();
    void reports_when_there_is_room_to_write();
    void watches_readiness_from_within_its_callback();
    void reports_a_hang_up_as_readiness_once();
    void reports_an_error_to_those_who_wait_for_room();
    void does_not_spin_on_a_descriptor_that_nobody_waits_for();
    void reads_and_writes_what_is_always_ready();
    void reports_descriptors_that_are_not_open();
    void takes_descriptors_with_large_numbers();

    [[nodiscard]] static std::span<const ProactorCheck> checks_of_descriptors() noexcept;
    void completes_what_waits_when_the_descriptor_is_closed();
    void means_the_descriptor_that_was_open_at_the_start();
    void takes_nothing_over_to_the_next_descriptor_of_that_number();
    void hears_nothing_of_a_closed_descriptor_that_has_a_duplicate();
    void watches_a_descriptor_and_its_duplicate_as_two();
    void closes_a_descriptor_in_the_callback_of_an_earlier_event();
    void closes_a_descriptor_in_a_callback_before_its_error_is_reported();
    void forgets_a_descriptor_that_stays_open();
    void forgets_what_it_never_knew();
    void finds_out_that_a_number_was_closed_behind_its_back();
    void hears_nothing_of_a_number_that_was_closed_behind_its_back();
    void leaves_no_descriptor_open_in_other_programs();
    void is_not_disturbed_by_a_child_that_inherits_it();
    void calls_what_needs_no_waiting();
    void receives_by_a_call_without_waiting();

    [[nodiscard]] static std::span<const ProactorCheck> checks_of_waiting() noexcept;
    void completes_more_than_one_poll_can_report();
    void shares_the_turns_between_descriptors_that_are_always_ready();
    void ends_a_row_of_attempts_that_never_have_to_wait();
    void ends_a_row_of_attempts_on_many_descriptors();
    void keeps_the_order_when_attempts_are_used_up();
    void waits_until_the_deadline_and_not_in_many_small_waits();
    void waits_for_a_deadline_however_far_it_is();
    void does_not_wait_for_what_is_past();
    void does_not_wait_when_something_has_completed_at_the_start();
    void does_not_wait_when_something_was_completed_by_close();
    void ends_a_wait_without_a_deadline_when_something_completes();
    void ends_the_next_wait_when_woken_before();
    void ends_the_wait_when_woken_by_another_thread();
    void takes_many_wakes_as_one();
    void loses_no_wake();
    void is_woken_by_a_signal_handler_which_keeps_errno();
    void survives_signals_while_it_waits();
    void keeps_its_deadline_though_signals_interrupt_it();
    void has_a_descriptor_that_says_when_there_is_something_to_do();
    void draws_random_numbers_that_differ();

private:
    [[nodiscard]] std::unique_ptr<Proactor> make_another() const { return make_(); }

    /// What is not the case is found out by its place.
    void expect(bool holds, std::source_location place = std::source_location::current()) {
        if (!holds) {
            findings_.add("not so at " + text_of(place));
        }
    }
    template <class A, class B>
    void expect_equal(const A& is, const B& should_be,
                      std::source_location place = std::source_location::current()) {
        if (!equal(is, should_be)) {
            findings_.add(text_of(is) + " instead of " + text_of(should_be) + " at " +
                          text_of(place));
        }
    }

    template <class A, class B>
    static bool equal(const A& a, const B& b) {
        if constexpr (std::integral<A> && std::integral<B> && !std::same_as<A, bool>) {
            return std::cmp_equal(a, b);
        } else {
            return a == b;
        }
    }
    template <class T>
    static std::string text_of(const T& value) {
        if constexpr (std::same_as<T, std::source_location>) {
            const std::string_view file = value.file_name();
            return std::string(file.substr(file.rfind('/') + 1)) + ":" +
                   std::to_string(value.line());
        } else if constexpr (std::is_arithmetic_v<T>) {
            return std::to_string(value);
        } else if constexpr (std::convertible_to<const T&, std::string_view>) {
            const std::string_view text = value;
            return "'" + std::string(text.substr(0, 100)) + "'";
        } else {
            return "something";
        }
    }

    ProactorMaker make_;
    Findings& findings_;
};

}  // namespace asyncio::testing
