// The film being made, the films made, and those that wait: one picture of the desk, asked for again and again.

window.flipbook = window.flipbook || {};

Object.assign(window.flipbook, {
    jobs: [],
    shownJob: null, // id of the job on the stage; null follows the running one, else the newest
    watched: null, // id of the job that this page has begun or shown while it was rendered: its film plays when it is done

    submitted(ids) {
        flipbook.shownJob = null;
        flipbook.previewing = null;
        flipbook.newest = flipbook.watched = ids[ids.length - 1];
        flipbook.poll();
    },

    busy() {
        return flipbook.jobs.some(flipbook.goesOn);
    },

    visible() {
        return flipbook.root && flipbook.root.offsetParent !== null && !document.hidden;
    },

    async poll() {
        clearTimeout(flipbook.polling);
        if (flipbook.visible() || !flipbook.polled) {
            try {
                const answer = await flipbook.ask("GET", "jobs");
                flipbook.jobs = Array.isArray(answer) ? answer : answer.jobs;
                flipbook.polled = true;
                flipbook.lost = "";
            } catch (failure) {
                flipbook.lost = failure.problems ? failure.message : flipbook.word("waiting");
            }
            flipbook.drawStage();
            flipbook.drawRuns();
        }
        clearTimeout(flipbook.polling);
        flipbook.polling = setTimeout(() => flipbook.poll(), flipbook.busy() ? 500 : 2500);
    },

    goesOn(job) {
        return Boolean(job) && ["running", "queued"].includes(job.status);
    },

    onStage() {
        const find = (test) => flipbook.jobs.find(test);
        return (
            (flipbook.shownJob && find((job) => job.id === flipbook.shownJob)) ||
            find((job) => job.status === "running") ||
            (flipbook.newest && find((job) => job.id === flipbook.newest)) ||
            find((job) => job.status === "queued") ||
            flipbook.jobs[0] ||
            null
        );
    },

    drawStage() {
        const stage = flipbook.element("stage");
        if (!stage) return;
        if (!stage.firstChild) {
            for (const part of ["screen", "bar", "line", "outputs", "warnings"]) stage.append(flipbook.make("div", {class: `flipbook-${part}`}));
        }
        const part = (name) => stage.querySelector(`:scope > .flipbook-${name}`);
        const job = flipbook.onStage();
        stage.dataset.status = flipbook.previewing ? "preview" : job ? job.status : "empty";
        stage.dataset.job = job ? job.id : "";
        flipbook.drawScreen(part("screen"), job);
        flipbook.drawFacts(part, flipbook.previewing && job && job.status === "done" ? null : job);
    },

    // Below the screen: progress and outputs. During a motion preview only of a film that is not done.
    drawFacts(part, job) {
        const running = job && job.status === "running";
        part("bar").hidden = !running;
        part("bar").style.setProperty("--flipbook-done", running && job.frames ? job.frames_done / job.frames : 0);
        flipbook.replace(part("line"), flipbook.stageLine(job), JSON.stringify([Boolean(flipbook.previewing), job && job.status, job && job.phase, job && job.ending, job && job.frames_done, job && job.frames, job && job.seconds_left, flipbook.lost]));
        flipbook.replace(part("outputs"), flipbook.outputs(job), JSON.stringify([job && job.id, job && job.status, job && job.outputs, flipbook.showing]));
        const sentences = job ? [...(job.errors || []).map((problem) => problem.message), ...(job.warnings || [])] : [];
        flipbook.replace(
            part("warnings"),
            sentences.map((sentence, index) => flipbook.make("div", {class: index < (job.errors || []).length ? "flipbook-problem" : "flipbook-warning"}, sentence)),
            JSON.stringify(sentences),
        );
    },

    // Replaces children only where what they show has changed: a button must not go away under the pointer.
    replace(place, children, key) {
        if (place.dataset.key === key) return;
        place.dataset.key = key;
        place.replaceChildren(...children.filter((child) => child));
    },

    stageLine(job) {
        if (flipbook.lost) return [flipbook.make("span", {class: "flipbook-problem"}, flipbook.lost)];
        if (!job) return flipbook.previewing ? [flipbook.make("span", {class: "flipbook-status"}, flipbook.word("preview"))] : [];
        const line = [flipbook.make("span", {class: "flipbook-status"}, flipbook.word(job.ending ? "stopping" : job.status))];
        if (job.frames) {
            line.push(
                flipbook.make("span", {}, flipbook.word("frame"), " ", flipbook.make("b", {class: "flipbook-count"}, String(job.frames_done)), " ", flipbook.word("of"), ` ${job.frames}`),
            );
        }
        if (job.status === "running" && job.seconds_left !== null && job.seconds_left !== undefined) {
            line.push(flipbook.make("span", {class: "flipbook-left"}, `${flipbook.time(job.seconds_left)} `, flipbook.word("left")));
        }
        if (flipbook.goesOn(job) && !job.ending) {
            line.push(flipbook.button("interrupt", () => flipbook.act("DELETE", `jobs/${job.id}`), {id: flipbook.id("interrupt")}));
        }
        if (["failed", "cancelled"].includes(job.status)) {
            line.push(flipbook.button("resume", () => flipbook.resume(job), {id: flipbook.id("resume")}));
        }
        return line;
    },

    resume(job) {
        flipbook.previewing = null;
        return flipbook.act("POST", `jobs/${job.id}/resume`);
    },

    async act(method, path, body) {
        try {
            await flipbook.ask(method, path, body);
        } catch (failure) {
            flipbook.forms[flipbook.kind()].general = [failure.message];
            flipbook.showProblems(flipbook.kind());
        }
        flipbook.poll();
    },

    drawScreen(screen, job) {
        if (flipbook.previewing) return flipbook.drawPreview(screen);
        if (!job || (!job.frames_done && !(job.outputs || {}).film)) {
            const key = `empty ${job ? job.status : ""}`;
            const words = job ? [flipbook.make("p", {}, flipbook.word(job.status))] : [flipbook.make("p", {}, flipbook.word("empty")), flipbook.make("small", {}, flipbook.word("empty hint"))];
            return flipbook.replace(screen, [flipbook.make("div", {class: "flipbook-nothing"}, ...words)], key);
        }
        const ended = !flipbook.goesOn(job);
        if (ended && (job.outputs || {}).film) {
            const showing = flipbook.showing === "sheet" && job.outputs.sheet ? "sheet" : "film";
            flipbook.replace(screen, [flipbook.player(job, showing)], `${showing} ${job.id} ${job.frames_done} ${job.ended}`);
            const film = screen.querySelector("video");
            if (film && job.status === "done" && job.id === flipbook.watched) {
                flipbook.watched = null;
                // Browsers may refuse sound where nobody has clicked yet: then it waits to be played.
                film.play().catch(() => {});
            }
            return undefined;
        }
        flipbook.watched = job.id;
        const frame = job.frames_done - 1;
        const key = `frame ${job.id} ${frame}`;
        if (screen.dataset.key === key || screen.dataset.coming === key) return undefined;
        screen.dataset.coming = key;
        // Shown only once it is there: no flicker between frames.
        const picture = flipbook.make("img", {class: "flipbook-live", alt: `${flipbook.word("frame")} ${frame}`});
        picture.onload = () => {
            if (screen.dataset.coming === key) flipbook.replace(screen, [picture], key);
        };
        picture.onerror = () => {
            screen.dataset.coming = "";
        };
        // The latest one that lies on the disk; the number only tells the browser that it is another one.
        picture.src = flipbook.url(`jobs/${job.id}/frames/-1?${frame}`);
        return undefined;
    },

    player(job, showing) {
        if (showing === "sheet") return flipbook.make("img", {src: flipbook.url(`jobs/${job.id}/sheet`), alt: flipbook.word("sheet"), class: "flipbook-sheet"});
        // A film plays; what no player takes is an animated picture, or a folder of frames.
        const source = flipbook.url(`jobs/${job.id}/film?${encodeURIComponent(job.ended || "")}`);
        const video = flipbook.make("video", {src: source, controls: true, loop: true, playsinline: true, preload: "auto", class: "flipbook-film"});
        const picture = flipbook.make("img", {alt: flipbook.word("film"), class: "flipbook-film"});
        video.addEventListener("error", () => {
            picture.src = source;
            video.replaceWith(picture);
        });
        picture.addEventListener("error", () => {
            picture.src = flipbook.url(`jobs/${job.id}/frames/-1`);
        }, {once: true});
        return video;
    },

    outputs(job) {
        if (!job || !job.frames_done) return [];
        const ended = !flipbook.goesOn(job);
        const found = job.outputs || {};
        const parts = [];
        if (ended && found.film && found.sheet) {
            const sheet = flipbook.showing === "sheet";
            parts.push(
                flipbook.button(sheet ? "film" : "sheet", () => {
                    flipbook.showing = sheet ? "film" : "sheet";
                    flipbook.drawStage();
                }, {id: flipbook.id("sheet_or_film")}),
            );
        }
        parts.push(flipbook.button("settings", () => flipbook.useSettings(job), {id: flipbook.id("use_settings")}));
        if (ended && found.film) {
            for (const [kind, {film_input: name}] of Object.entries(flipbook.data.kinds)) {
                if (name) parts.push(flipbook.button(`to ${kind}`, () => flipbook.sendFilm(job, kind, name), {id: flipbook.id(`to_${kind}`)}));
            }
        }
        if (document.getElementById("img2img_image")) parts.push(flipbook.button("to img2img", () => flipbook.sendFrame(job)));
        if (job.run) {
            const path = flipbook.make("code", {title: flipbook.folderOf(job)}, flipbook.folderOf(job));
            parts.push(flipbook.make("div", {class: "flipbook-folder"}, flipbook.make("span", {}, flipbook.word("folder")), " ", path));
        }
        return parts;
    },

    async useSettings(job) {
        const {kind, settings} = await flipbook.ask("GET", `jobs/${job.id}`);
        flipbook.openKind(kind);
        flipbook.fill(kind, {settings});
    },

    folderOf(job) {
        return `${flipbook.data.runs}${job.run}`;
    },

    sendFilm(job, kind, name) {
        flipbook.openKind(kind);
        flipbook.fill(kind, {shown: {}, film: {job: job.id, name}});
    },

    async preview() {
        const kind = flipbook.kind();
        const asked = {};
        flipbook.previewing = asked;
        flipbook.drawStage();
        try {
            const film = await flipbook.ask("POST", "preview", {kind, settings: flipbook.settings(kind)});
            // Closed or requested again in the meantime.
            if (flipbook.previewing !== asked) return;
            flipbook.previewing = {film: URL.createObjectURL(film)};
        } catch (failure) {
            if (flipbook.previewing !== asked) return;
            flipbook.previewing = null;
            flipbook.answered(kind, JSON.stringify({about: "submit", errors: failure.problems || [{message: failure.message}]}));
        }
        flipbook.drawStage();
    },

    // The settings that a form shows, as the desk takes them.
    settings(kind) {
        const shown = {...flipbook.forms[kind].shown};
        for (const [name, field] of Object.entries(flipbook.data.kinds[kind].fields)) {
            if (field.structured && /^[[{]/.test(String(shown[name]).trim())) {
                try {
                    shown[name] = JSON.parse(shown[name]);
                } catch (error) {
                    // The desk says what is wrong with it.
                }
            }
        }
        return shown;
    },

    drawPreview(screen) {
        const film = flipbook.previewing.film;
        if (!film) return flipbook.replace(screen, [flipbook.make("div", {class: "flipbook-nothing"}, flipbook.make("p", {}, flipbook.word("previewing")))], "previewing");
        const video = flipbook.make("video", {src: film, controls: true, loop: true, autoplay: true, class: "flipbook-film", id: flipbook.id("motion")});
        video.muted = true;
        const close = flipbook.make("button", {type: "button", class: "flipbook-close", title: "×", on: {click: () => {
            flipbook.previewing = null;
            flipbook.drawStage();
        }}}, "×");
        return flipbook.replace(screen, [video, close], `preview ${film}`);
    },

    drawRuns() {
        const place = flipbook.element("runs");
        if (!place) return;
        const queued = flipbook.jobs.filter((job) => job.status === "queued");
        const rows = flipbook.jobs.slice(0, 40).map((job) => flipbook.runRow(job, queued));
        const key = JSON.stringify([flipbook.jobs.slice(0, 40).map((job) => [job.id, job.status, job.ending, job.status === "running" ? job.frames_done : 0, job.place]), flipbook.onStage() && flipbook.onStage().id]);
        const head = flipbook.make("h4", {}, flipbook.word("runs"));
        flipbook.replace(place, rows.length ? [head, flipbook.make("div", {class: "flipbook-rows"}, ...rows)] : [], key);
    },

    runRow(job, queued) {
        const stage = flipbook.onStage();
        const ended = !flipbook.goesOn(job);
        const row = flipbook.make("div", {class: `flipbook-run flipbook-is-${job.status}${stage && stage.id === job.id ? " flipbook-shown" : ""}`, "data-job": job.id});
        const title = flipbook.translated((flipbook.data.kinds[job.kind] || {title: job.kind}).title);
        const trial = (job.task || {}).trial ? ` · ${flipbook.trialWords(job.task.trial)}` : "";
        const show = flipbook.make("button", {type: "button", class: "flipbook-link", on: {click: () => {
            flipbook.shownJob = job.id;
            flipbook.previewing = null;
            flipbook.drawStage();
            flipbook.drawRuns();
        }}}, flipbook.make("span", {title}, job.label || title), trial);
        row.append(
            flipbook.make("span", {class: "flipbook-status"}, flipbook.word(job.ending ? "stopping" : job.status)),
            show,
            flipbook.make("span", {class: "flipbook-frames"}, job.frames ? `${job.frames_done} / ${job.frames}` : ""),
        );
        const act = (word, method, path, body) => flipbook.button(word, () => flipbook.act(method, path, body), {class: "flipbook-button flipbook-small"});
        const position = queued.indexOf(job);
        if (position > 0) row.append(act("up", "POST", `jobs/${job.id}/move`, {to: position - 1}));
        if (position >= 0 && position < queued.length - 1) row.append(act("down", "POST", `jobs/${job.id}/move`, {to: position + 1}));
        if (!ended && !job.ending) row.append(act("interrupt", "DELETE", `jobs/${job.id}`));
        if (["failed", "cancelled"].includes(job.status)) row.append(flipbook.button("resume", () => flipbook.resume(job), {class: "flipbook-button flipbook-small"}));
        return row;
    },

    trialWords(trial) {
        const parts = [];
        if (trial.every > 1) parts.push(`1 / ${trial.every}`);
        if (trial.half) parts.push("½");
        if (trial.only !== null && trial.only !== undefined) parts.push(`#${trial.only}`);
        return parts.join(" ");
    },
});

(window.flipbook.starts = window.flipbook.starts || []).push(() => {
    flipbook.poll();
    document.addEventListener("visibilitychange", () => flipbook.visible() && flipbook.poll());
    document.addEventListener("click", () => setTimeout(() => flipbook.visible() && !flipbook.busy() && flipbook.poll(), 200), {passive: true});
});

if (window.flipbook.start) window.flipbook.start();
