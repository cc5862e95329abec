/* SPDX-License-Identifier: MIT */
/* The story of the bundled guest from its recording, which is part of this program. */
#include "cmd.h"
#include "guest_run.h"
#include "output.h"
#include "recorded.h"
#include "recording.h"
#include "story.h"

static int finish(struct story *story, const struct player *player, enum player_event event)
{
	uint32_t code = player->call.done.code;
	int status;

	if (event != PLAYER_END || player->call.number != GUEST_CALL_DONE) {
		output_complain("the recording is damaged");
		return EXIT_SOURCE;
	}
	status = code < 255 ? (int)code : 255;
	story_result(story, &code, status);
	return status;
}

int guest_run_recorded(const struct guest_run *run)
{
	struct player player;
	struct story story;
	enum player_event event;
	int status;

	if (!player_open(&player, recorded_guest, RECORDED_GUEST_BYTES)) {
		output_out_of_memory();
		return EXIT_SOURCE;
	}
	story = (struct story){.json = run->json, .memory_bytes = player.memory_bytes};
	story_begin(&story, "The bundled guest `paging`, as it was recorded under KVM");
	while ((event = player_next(&player)) == PLAYER_CONSOLE || event == PLAYER_CALL) {
		if (event == PLAYER_CONSOLE)
			story_console(&story, player.text, player.text_bytes);
		else
			story_call(&story, &player.space, &player.call);
	}
	status = finish(&story, &player, event);
	player_close(&player);
	return status;
}
