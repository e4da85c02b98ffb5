"""The compiled loops behind the folds. Each goes through the rows of one key after the other, in order of time.

All kernels share their arguments. `first_key` and `last_key` bound the keys that a call works on (calls on other keys may run
beside it). Entries (what is learned) and questions lie grouped by key, in order of time within it: `entry_bounds[k]` to
`entry_bounds[k + 1]` are the places of those of key k in `entry_times` and `entry_values` (values x entries). The state of key
k is `state_lengths[k]` of `state_words` from `state_starts[k]` on; the new one is written from `new_bounds[k]` on,
`new_lengths[k]` words long. `answers` (answers x questions) receives what each question is told; `question_values` is what it
asks for itself, empty if it does not.

The one rule of time stands here: a question at an instant sees the entries strictly before that instant. An entry one of whose
values is missing is not learned.

Compiled code is cached beside this file and made anew when this file changes. It holds `MISSING` as it was when it was
compiled, though that stands in another file: whoever changes it there has to change this one too.
"""

import numpy as np
from numba import njit, types

from ticketintel_pipelines.features.rows import MISSING

# Arrays that are only read are declared so: those of Arrow cannot be written to, NumPy's can, and without a signature each
# mixture of them would be compiled by itself.
_READ = types.Array(types.int64, 1, "C", readonly=True)
_READ_ROWS = types.Array(types.int64, 2, "C", readonly=True)
_WRITTEN = types.Array(types.int64, 1, "C")
_WRITTEN_ROWS = types.Array(types.int64, 2, "C")
_KERNEL = types.void(
    types.int64, types.int64, _READ, _READ, _READ_ROWS, _READ, _READ, _READ,
    _READ, _READ, _READ, _READ, _WRITTEN, _WRITTEN, _WRITTEN_ROWS, _READ, types.int64,
)  # fmt: skip


@njit(nogil=True, cache=True)
def _lacks_value(entry_values, entry):
    for value in range(entry_values.shape[0]):  # noqa: SIM110
        if entry_values[value, entry] == MISSING:
            return True
    return False


@njit(nogil=True, cache=True)
def _plus(total, value):
    """Their sum. Raises ValueError where it needs more than 63 bits and a sign, or could be taken for a missing one."""
    result = total + value
    if ((total ^ result) & (value ^ result)) < 0 or result == MISSING:
        raise ValueError("a sum of a key's values leaves 63 bits: fold them in a coarser unit")
    return result


@njit(nogil=True, cache=True)
def _size(value):
    """How far a value is from nothing; no value is as small as `MISSING`, which has none."""
    return value if value >= 0 else -value


@njit(_KERNEL, nogil=True, cache=True)
def fold_trailing(
    first_key, last_key, entry_bounds, entry_times, entry_values, question_bounds, question_times, question_values,
    state_starts, state_lengths, state_words, new_bounds, new_words, new_lengths, answers, windows, horizon
):  # fmt: skip
    """For each window: how many entries lie in it, and the sum of each of their values. State: the entries in reach.

    While a key is worked on, an entry has the sums of the values up to its own in place of the values: a window's sum is the
    difference of two of them. None of these leaves 63 bits unless the sizes of the values together do, which is refused.
    """
    values = entry_values.shape[0]
    width = 1 + values
    outsides = np.empty(windows.size, np.int64)
    sums = np.empty(values, np.int64)
    sizes = np.empty(values, np.int64)
    longest = windows.max()
    for key in range(first_key, last_key):
        base = new_bounds[key]
        held = 0
        count = 0
        sums[:] = 0
        sizes[:] = 0
        outsides[:] = 0
        for start in range(state_starts[key], state_starts[key] + state_lengths[key], width):
            new_words[base + held] = state_words[start]
            for value in range(values):
                sizes[value] = _plus(sizes[value], _size(state_words[start + 1 + value]))
                sums[value] += state_words[start + 1 + value]
                new_words[base + held + 1 + value] = sums[value]
            held += width
            count += 1
        entry = entry_bounds[key]
        last_entry = entry_bounds[key + 1]
        for question in range(question_bounds[key], question_bounds[key + 1] + 1):
            asks = question < question_bounds[key + 1]
            now = question_times[question] if asks else horizon
            while entry < last_entry and (not asks or entry_times[entry] < now):
                learned = entry
                entry += 1
                if _lacks_value(entry_values, learned):
                    continue
                new_words[base + held] = entry_times[learned]
                for value in range(values):
                    sizes[value] = _plus(sizes[value], _size(entry_values[value, learned]))
                    sums[value] += entry_values[value, learned]
                    new_words[base + held + 1 + value] = sums[value]
                held += width
                count += 1
            if not asks:
                break
            for window in range(windows.size):
                outside = outsides[window]
                since = now - windows[window]
                while outside < count and new_words[base + outside * width] <= since:
                    outside += 1
                outsides[window] = outside
                answers[window * width, question] = count - outside
                for value in range(values):
                    before = new_words[base + (outside - 1) * width + 1 + value] if outside else 0
                    answers[window * width + 1 + value, question] = sums[value] - before
        left = 0
        while left < held and new_words[base + left] <= horizon - longest:
            left += width
        for value in range(values):
            before = new_words[base + left - width + 1 + value] if left else 0
            for start in range(base + left + 1 + value, base + held, width):
                upto = new_words[start]
                new_words[start] = upto - before
                before = upto
        for word in range(left, held):
            new_words[base + word - left] = new_words[base + word]
        new_lengths[key] = held - left


@njit(_KERNEL, nogil=True, cache=True)
def fold_lifetime(
    first_key, last_key, entry_bounds, entry_times, entry_values, question_bounds, question_times, question_values,
    state_starts, state_lengths, state_words, new_bounds, new_words, new_lengths, answers, windows, horizon
):  # fmt: skip
    """How many entries there were, when the first and the last one, and the sum of each of their values. State: just that."""
    width = 3 + entry_values.shape[0]
    for key in range(first_key, last_key):
        base = new_bounds[key]
        if state_lengths[key]:
            for word in range(width):
                new_words[base + word] = state_words[state_starts[key] + word]
        else:
            new_words[base : base + width] = 0
            new_words[base + 1] = MISSING
            new_words[base + 2] = MISSING
        entry = entry_bounds[key]
        last_entry = entry_bounds[key + 1]
        for question in range(question_bounds[key], question_bounds[key + 1] + 1):
            asks = question < question_bounds[key + 1]
            now = question_times[question] if asks else horizon
            while entry < last_entry and (not asks or entry_times[entry] < now):
                learned = entry
                entry += 1
                if _lacks_value(entry_values, learned):
                    continue
                if new_words[base] == 0:
                    new_words[base + 1] = entry_times[learned]
                new_words[base] += 1
                new_words[base + 2] = entry_times[learned]
                for value in range(entry_values.shape[0]):
                    new_words[base + 3 + value] = _plus(new_words[base + 3 + value], entry_values[value, learned])
            if not asks:
                break
            for word in range(width):
                answers[word, question] = new_words[base + word]
        new_lengths[key] = width if new_words[base] else 0


@njit(_KERNEL, nogil=True, cache=True)
def fold_latest(
    first_key, last_key, entry_bounds, entry_times, entry_values, question_bounds, question_times, question_values,
    state_starts, state_lengths, state_words, new_bounds, new_words, new_lengths, answers, windows, horizon
):  # fmt: skip
    """The last `windows[0]` entries, the newest first: when each was, and its values. State: these entries, oldest first."""
    width = 1 + entry_values.shape[0]
    room = windows[0] * width
    for key in range(first_key, last_key):
        base = new_bounds[key]
        held = 0
        for word in range(state_starts[key], state_starts[key] + state_lengths[key]):
            new_words[base + held] = state_words[word]
            held += 1
        entry = entry_bounds[key]
        last_entry = entry_bounds[key + 1]
        for question in range(question_bounds[key], question_bounds[key + 1] + 1):
            asks = question < question_bounds[key + 1]
            now = question_times[question] if asks else horizon
            while entry < last_entry and (not asks or entry_times[entry] < now):
                learned = entry
                entry += 1
                if _lacks_value(entry_values, learned):
                    continue
                if held == room:
                    for word in range(width, room):
                        new_words[base + word - width] = new_words[base + word]
                    held -= width
                new_words[base + held] = entry_times[learned]
                for value in range(1, width):
                    new_words[base + held + value] = entry_values[value - 1, learned]
                held += width
            if not asks:
                break
            for place in range(windows[0]):
                start = held - (place + 1) * width
                for value in range(width):
                    answers[place * width + value, question] = new_words[base + start + value] if start >= 0 else MISSING
        new_lengths[key] = held


@njit(nogil=True, cache=True)
def _place_of(words, first, last, value):
    """The first place in sorted words that holds no less than `value`."""
    while first < last:
        middle = (first + last) // 2
        if words[middle] < value:
            first = middle + 1
        else:
            last = middle
    return first


@njit(_KERNEL, nogil=True, cache=True)
def fold_distinct(
    first_key, last_key, entry_bounds, entry_times, entry_values, question_bounds, question_times, question_values,
    state_starts, state_lengths, state_words, new_bounds, new_words, new_lengths, answers, windows, horizon
):  # fmt: skip
    """How many different values there were, and whether the question's own value is none of them.

    State: how many values are not listed, none of which is met here; then the listed ones, sorted.
    """
    for key in range(first_key, last_key):
        base = new_bounds[key] + 1
        held = 0
        unlisted = state_words[state_starts[key]] if state_lengths[key] else 0
        for word in range(state_starts[key] + 1, state_starts[key] + state_lengths[key]):
            new_words[base + held] = state_words[word]
            held += 1
        entry = entry_bounds[key]
        last_entry = entry_bounds[key + 1]
        for question in range(question_bounds[key], question_bounds[key + 1] + 1):
            asks = question < question_bounds[key + 1]
            now = question_times[question] if asks else horizon
            while entry < last_entry and (not asks or entry_times[entry] < now):
                learned = entry
                entry += 1
                if _lacks_value(entry_values, learned):
                    continue
                value = entry_values[0, learned]
                place = _place_of(new_words, base, base + held, value)
                if place == base + held or new_words[place] != value:
                    for word in range(base + held, place, -1):
                        new_words[word] = new_words[word - 1]
                    new_words[place] = value
                    held += 1
            if not asks:
                break
            answers[0, question] = unlisted + held
            own = question_values[question] if question_values.size else MISSING
            if own == MISSING:
                answers[1, question] = MISSING
            else:
                place = _place_of(new_words, base, base + held, own)
                answers[1, question] = 1 if place == base + held or new_words[place] != own else 0
        new_words[base - 1] = unlisted
        new_lengths[key] = 1 + held if unlisted + held else 0


_MEDIAN_BELOW = 2**62
"""Twice a value of this size would not fit."""


@njit(nogil=True, cache=True)
def _push(heap, base, size, value, sign):
    """Put a value into a heap whose top is the largest (sign 1) or the smallest (sign -1) one."""
    place = size
    while place > 0:
        parent = (place - 1) // 2
        if sign * heap[base + parent] >= sign * value:
            break
        heap[base + place] = heap[base + parent]
        place = parent
    heap[base + place] = value


@njit(nogil=True, cache=True)
def _pop(heap, base, size, sign):
    """Take the top of a heap of `size` values."""
    top = heap[base]
    value = heap[base + size - 1]
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size - 1:
            break
        if child + 1 < size - 1 and sign * heap[base + child + 1] > sign * heap[base + child]:
            child += 1
        if sign * heap[base + child] <= sign * value:
            break
        heap[base + place] = heap[base + child]
        place = child
    heap[base + place] = value
    return top


@njit(_KERNEL, nogil=True, cache=True)
def fold_median(
    first_key, last_key, entry_bounds, entry_times, entry_values, question_bounds, question_times, question_values,
    state_starts, state_lengths, state_words, new_bounds, new_words, new_lengths, answers, windows, horizon
):  # fmt: skip
    """Twice the median of the values, which is a whole number, and their count.

    State: the lower half of the values as a heap with the largest on top, then the upper half with the smallest on top; the
    lower half has one value more where their number is odd.
    """
    for key in range(first_key, last_key):
        lower = new_bounds[key]
        upper = lower + (new_bounds[key + 1] - lower) // 2
        size = state_lengths[key]
        below = (size + 1) // 2
        above = size - below
        for place in range(below):
            new_words[lower + place] = state_words[state_starts[key] + place]
        for place in range(above):
            new_words[upper + place] = state_words[state_starts[key] + below + place]
        entry = entry_bounds[key]
        last_entry = entry_bounds[key + 1]
        for question in range(question_bounds[key], question_bounds[key + 1] + 1):
            asks = question < question_bounds[key + 1]
            now = question_times[question] if asks else horizon
            while entry < last_entry and (not asks or entry_times[entry] < now):
                learned = entry
                entry += 1
                if _lacks_value(entry_values, learned):
                    continue
                value = entry_values[0, learned]
                if value >= _MEDIAN_BELOW or value <= -_MEDIAN_BELOW:
                    raise ValueError("a value of a median is 2**62 or more: fold it in a coarser unit")
                if below == 0 or value <= new_words[lower]:
                    _push(new_words, lower, below, value, 1)
                    below += 1
                else:
                    _push(new_words, upper, above, value, -1)
                    above += 1
                if below > above + 1:
                    _push(new_words, upper, above, _pop(new_words, lower, below, 1), -1)
                    below -= 1
                    above += 1
                elif above > below:
                    _push(new_words, lower, below, _pop(new_words, upper, above, -1), 1)
                    above -= 1
                    below += 1
            if not asks:
                break
            if below == 0:
                answers[0, question] = MISSING
            elif below > above:
                answers[0, question] = 2 * new_words[lower]
            else:
                answers[0, question] = new_words[lower] + new_words[upper]
            answers[1, question] = below + above
        for place in range(above):
            new_words[lower + below + place] = new_words[upper + place]
        new_lengths[key] = below + above


@njit(nogil=True, cache=True)
def group_rows(codes, keys):
    """Places of the rows of each key (a code from 0 on; below 0 is no key) in their order, and where each key's begin."""
    bounds = np.zeros(keys + 1, np.int64)
    for code in codes:
        if code >= 0:
            bounds[code + 1] += 1
    for key in range(keys):
        bounds[key + 1] += bounds[key]
    rows = np.empty(bounds[keys], np.int64)
    free = bounds[:-1].copy()
    for row in range(codes.size):
        code = codes[row]
        if code >= 0:
            rows[free[code]] = row
            free[code] += 1
    return rows, bounds


@njit(nogil=True, cache=True)
def gather(starts, words, lengths, keys):
    """The first `lengths[key]` words of each of some keys, one after the other, and where each key's begin."""
    taken = np.zeros(keys.size + 1, np.int64)
    for place in range(keys.size):
        taken[place + 1] = taken[place] + lengths[keys[place]]
    gathered = np.empty(taken[keys.size], np.int64)
    for place in range(keys.size):
        start = starts[keys[place]]
        for word in range(lengths[keys[place]]):
            gathered[taken[place] + word] = words[start + word]
    return taken, gathered


@njit(types.int64[::1](_READ, _READ), nogil=True, cache=True)
def taken(column, rows):
    """The column's values in some rows."""
    found = np.empty(rows.size, np.int64)
    for number in range(rows.size):
        found[number] = column[rows[number]]
    return found


@njit(types.void(_READ, _READ, _WRITTEN), nogil=True, cache=True)
def place(values, rows, column):
    """Put each value into its row of the column."""
    for number in range(rows.size):
        column[rows[number]] = values[number]
